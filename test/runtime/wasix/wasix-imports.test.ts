import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { coreModuleFromBytes } from "../../../src/runtime/core-module.ts";
import { cappedWasixProgram } from "../../../src/runtime/wasix/cap-wasix-memory.ts";
import { sdkEntry } from "../../../src/runtime/wasix/sdk-entry.ts";
import {
  assertWasixFits,
  isWasix,
  WASIX_FUNCTIONS,
  WASIX_PROCESS_FUNCTIONS,
} from "../../../src/runtime/wasix/wasix-imports.ts";
import { SHARED_MEMORY, spawning, wasixFromWat } from "./wasix-programs.ts";

const module = (imports: string, rest = '(memory (export "memory") 1) (func (export "_start"))') =>
  coreModuleFromBytes(wasixFromWat(`(module ${imports} ${rest})`));

describe("the imports of a WASIX program", () => {
  it("tell it from WASI preview 1 and from bare modules", () => {
    expect(isWasix(module('(import "wasix_32v1" "thread_id" (func))'))).toBe(true);
    expect(isWasix(module('(import "wasix_64v1" "thread_id" (func))'))).toBe(true);
    expect(isWasix(module('(import "wasi_snapshot_preview1" "fd_close" (func))'))).toBe(false);
    expect(isWasix(module(""))).toBe(false);
  });

  it("are taken: WASIX, preview 1 beside it, threads and their memory", () => {
    for (const name of WASIX_FUNCTIONS) assertWasixFits(module(`(import "wasix_32v1" "${name}" (func))`));
    assertWasixFits(
      module(
        '(import "wasix_64v1" "futex_wait" (func)) (import "wasi_snapshot_preview1" "fd_close" (func)) (import "wasi" "thread-spawn" (func))',
      ),
    );
    assertWasixFits(coreModuleFromBytes(spawning(1, 1)));
  });

  it.each([
    ["wasix_32v1", "telepathy", "(func)"],
    ["wasix_32v1", "toString", "(func)"],
    ["wasix_32v1", "thread_id", "(global i32)"],
    ["wasi_snapshot_preview1", "thread_id", "(func)"],
    ["env", "printf", "(func)"],
    ["env", "other", "(memory 1)"],
    ["wasmatrix", "kv_get", "(func)"],
  ])("are refused by name when the SDK has none: %s.%s %s", (from, name, type) => {
    expect(() => assertWasixFits(module(`(import "${from}" "${name}" ${type})`))).toThrow(
      expect.objectContaining({ reason: Reason.MODULE_IMPORT_UNKNOWN, subject: `${from}.${name}` }),
    );
  });

  it.each(WASIX_PROCESS_FUNCTIONS)("are refused when they begin processes: %s", (name) => {
    expect(() => assertWasixFits(module(`(import "wasix_32v1" "${name}" (func))`))).toThrow(
      expect.objectContaining({
        reason: Reason.MODULE_KIND_UNSUPPORTED,
        message: expect.stringContaining(`"wasix_32v1.${name}"`),
      }),
    );
  });

  it("do not save a module without a beginning or a memory", () => {
    const id = '(import "wasix_32v1" "thread_id" (func))';
    for (const rest of ['(func (export "_start"))', '(memory (export "memory") 1) (func (export "main"))'])
      expect(() => assertWasixFits(module(id, rest))).toThrow(
        expect.objectContaining({ reason: Reason.MODULE_KIND_UNSUPPORTED }),
      );
  });
});

describe("the memory of a WASIX program", () => {
  const shared = (limits: string): Uint8Array<ArrayBuffer> =>
    wasixFromWat(`(module (import "a" "f" (func)) (import "a" "g" (global i32)) (import "a" "t" (table 1 funcref))
      (import "env" "memory" (memory ${limits})) (func (export "_start")) (table 3 funcref) (data (i32.const 0) "kept"))`);
  const memoryMaximum = (bytes: Uint8Array<ArrayBuffer>): readonly number[] =>
    [1, 2, 3, 10, 16, 100, 200].filter((maximum) => isLinkable(bytes, maximum));

  it("is capped where it is imported, and everything else stays as it was", () => {
    const capped = cappedWasixProgram(shared("1 16384 shared"), 16 * 65_536);
    // A memory links if its maximum is not above the declared one.
    expect(memoryMaximum(capped)).toEqual([1, 2, 3, 10, 16]);
    expect(memoryMaximum(cappedWasixProgram(shared("1 10 shared"), 16 * 65_536))).toEqual([1, 2, 3, 10]);
  });

  it("is refused when the SDK could not give it, or it begins too large", () => {
    expect(() => cappedWasixProgram(shared("1 10"), 16 * 65_536)).toThrow(
      expect.objectContaining({ reason: Reason.MODULE_KIND_UNSUPPORTED }),
    );
    expect(() => cappedWasixProgram(shared("17 20 shared"), 16 * 65_536)).toThrow(
      expect.objectContaining({ reason: Reason.LIMIT_INVALID }),
    );
    expect(SHARED_MEMORY).toContain("shared");
  });
});

function isLinkable(bytes: Uint8Array<ArrayBuffer>, maximum: number): boolean {
  const memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
  const imports = {
    a: { f: () => {}, g: 1, t: new WebAssembly.Table({ initial: 1, element: "anyfunc" }) },
    env: { memory },
  };
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports) instanceof WebAssembly.Instance;
  } catch (error) {
    if (error instanceof WebAssembly.LinkError) return false;
    throw error;
  }
}

describe("without the SDK", () => {
  it("a WASIX program is refused with how to get it", () => {
    const missing = (): never => {
      throw new Error("Cannot find package");
    };
    expect(() => sdkEntry(missing)).toThrow(
      expect.objectContaining({
        reason: Reason.MODULE_KIND_UNSUPPORTED,
        message: expect.stringContaining("npm install @wasmer/sdk@0.16.0"),
      }),
    );
  });

  it("no other file of the runtime asks for it", () => {
    expect(sdkEntry()).toMatch(/^file:.*@wasmer\/sdk/);
  });
});
