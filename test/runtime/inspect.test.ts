import { readFile } from "node:fs/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../src/fault.ts";
import { lebFromUnsigned } from "../../src/runtime/wasm-reader.ts";
import { guestStart, testRuntime } from "./guest-starts.ts";
import { wasmFromWat } from "./wat.ts";

const runtime = testRuntime();
const guest = async (name: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(new URL(`./guests/${name}.wasm`, import.meta.url)));

/** Components, and core modules with features that the other assembler lacks. */
const wasm = async (text: string): Promise<Uint8Array> => new Uint8Array(await parse(text));

/** What makes a component an HTTP handler. */
const HANDLER = `(core module $c (func (export "h"))) (core instance $ci (instantiate $c))
  (func $handle (canon lift (core func $ci "h"))) (instance $h (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.3" (instance $h))`;

const PROBE = await guest("probe");
const COMMAND = wasmFromWat(
  `(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (memory (export "memory") 1) (func (export "_start")))`,
);

describe("inspecting a module", () => {
  it("tells an HTTP component, a command and a module of functions by their bytes", async () => {
    expect(await runtime.inspect(PROBE)).toMatchObject({
      kind: "http",
      imports: expect.arrayContaining(["wasi:http/types@0.2.12", "wasi:keyvalue/store@0.2.0-draft"]),
      exports: ["wasi:http/incoming-handler@0.2.12"],
    });
    expect(await runtime.inspect(COMMAND)).toEqual({
      kind: "command",
      format: "wasi-p1",
      memory: { initialBytes: 65_536, maxBytes: undefined },
      functions: [],
      imports: ["wasi_snapshot_preview1.proc_exit"],
      exports: ["memory", "_start"],
    });
    expect(await runtime.inspect(wasmFromWat(`(module (func (export "f")))`))).toEqual({
      kind: "functions",
      format: "core",
      memory: { initialBytes: 0, maxBytes: 0 },
      functions: [{ name: "f", type: "func()" }],
      imports: [],
      exports: ["f"],
    });
  });

  it.each([
    ["nothing", new Uint8Array(), "Cannot read module: it is not WebAssembly, it is empty"],
    [
      "text",
      Buffer.from("#!/bin/sh\n"),
      "Cannot read module: it is not WebAssembly, it begins with 23 21 2f 62 instead of 00 61 73 6d",
    ],
    [
      "its first three bytes",
      PROBE.subarray(0, 3),
      "Cannot read module: it is not WebAssembly, it begins with 00 61 73 instead of 00 61 73 6d",
    ],
  ])("says of %s that it is not WebAssembly", async (_, bytes, message) => {
    await expect(runtime.inspect(new Uint8Array(bytes))).rejects.toMatchObject({
      reason: Reason.MODULE_NOT_WASM,
      message,
    });
  });

  it.each([
    ["a header without its end", [0, 0x61, 0x73, 0x6d, 1], /ends inside its header/],
    ["an unknown version", [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0], /version 02 00 00 00/],
    [
      "a section that is longer than the module",
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 100, 0],
      /100 bytes are announced at byte 10, 1 are there/,
    ],
    ["a number without end", [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], /too long/],
    ["a name that is not UTF-8", [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 7, 5, 1, 1, 0xff, 3, 0], /not UTF-8/],
    [
      "an export of a function that is not there",
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 7, 5, 1, 1, 0x66, 0, 9],
      /names function 9/,
    ],
  ])("says of %s that it is malformed, and where", async (_, bytes, message) => {
    await expect(runtime.inspect(Uint8Array.from(bytes))).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: expect.stringMatching(message),
    });
  });

  it("says of code that does not validate that it is malformed", async () => {
    const invalid = wasmFromWat(`(module (func (export "f") (result i32) i32.const 1))`);
    invalid[invalid.length - 3] = 0x42;
    await expect(runtime.inspect(invalid)).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: expect.stringContaining("the engine refuses it"),
    });
  });

  it("answers every truncated or damaged module with a fault, never with another error", async () => {
    const modules = [PROBE, COMMAND, await guest("foreign")];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...modules),
        fc.nat(),
        fc.nat(),
        fc.nat({ max: 255 }),
        fc.boolean(),
        async (module, at, cut, byte, isCut) => {
          const damaged = module.slice(0, isCut ? cut % module.length : module.length);
          damaged[at % Math.max(1, damaged.length)] = byte;
          const error = await runtime.inspect(damaged).then(
            () => undefined,
            (cause: unknown) => cause,
          );
          expect(error === undefined || isFault(error)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("says which component it is when it is none that can be hosted", async () => {
    const exporting = (name: string): Promise<Uint8Array> =>
      wasm(`(component (instance $i) (export "${name}" (instance $i)))`);
    for (const [module, part] of [
      [await exporting("wasi:cli/run@0.2.3"), "a component that exports wasi:cli/run@0.2.3 without its function run"],
      [await exporting("wasi:http/incoming-handler@0.3.0"), "another version of WASI"],
      [await exporting("acme:shop/prices@1.0.0"), "a component that exports no function, only acme:shop/prices@1.0.0"],
      [await wasm("(component)"), "a component that exports nothing"],
      [wasmFromWat('(module (memory (export "memory") 1))'), "a core module that exports no function"],
    ] as const) {
      const error = expect.objectContaining({
        reason: Reason.MODULE_KIND_UNSUPPORTED,
        message: expect.stringContaining(part),
      });
      await expect(runtime.inspect(module)).rejects.toEqual(error);
    }
  });

  it.each([
    [`(module (import "env" "now" (func)) (func (export "f")))`, "env.now", 'function "env.now"'],
    [
      `(module (import "wasi_snapshot_preview1" "path_teleport" (func)) (func (export "f")))`,
      "wasi_snapshot_preview1.path_teleport",
      "path_teleport",
    ],
    [
      `(module (import "wasi_snapshot_preview1" "fd_read" (global i32)) (func (export "f")))`,
      "wasi_snapshot_preview1.fd_read",
      "global",
    ],
    [
      `(module (import "env" "memory" (memory 1)) (import "env" "t" (table 1 funcref)) (func (export "f")))`,
      "env.memory",
      'memory "env.memory"',
    ],
  ])("names an import that it does not know: %s", async (text, subject, part) => {
    await expect(runtime.inspect(wasmFromWat(text))).rejects.toMatchObject({
      reason: Reason.MODULE_IMPORT_UNKNOWN,
      subject,
      message: expect.stringContaining(part),
    });
  });

  it("names an interface that it does not know, and a version that it does not take", async () => {
    await expect(runtime.inspect(await guest("foreign"))).rejects.toMatchObject({
      reason: Reason.MODULE_IMPORT_UNKNOWN,
      subject: "wasmatrix:foreign/telepathy",
    });
    const newer = await wasm(`(component
      (import "wasi:keyvalue/store@0.2.0-draft9" (instance $s (export "open" (func))))
      (import "acme:moon/phase@1.0.0" (instance $p (export "now" (func))))
      (import "acme:moon/unused@1.0.0" (instance (export "later" (func))))
      (core module $m (import "s" "open" (func)) (import "p" "now" (func)))
      (core func $open (canon lower (func $s "open"))) (core func $now (canon lower (func $p "now")))
      (core instance (instantiate $m
        (with "s" (instance (export "open" (func $open)))) (with "p" (instance (export "now" (func $now))))))
      ${HANDLER})`);
    await expect(runtime.inspect(newer)).rejects.toMatchObject({
      reason: Reason.MODULE_IMPORT_UNKNOWN,
      message:
        'Cannot host module: it imports "wasi:keyvalue/store@0.2.0-draft9", "acme:moon/phase@1.0.0", which nothing here provides',
      subject: "wasi:keyvalue/store@0.2.0-draft9",
    });
  });

  it("refuses what cannot be bounded: garbage-collected types, and tables beyond the limit, at which they are taken", async () => {
    const structs = await wasm(`(module (type (struct (field i32))) (func (export "f")))`);
    await expect(runtime.inspect(structs)).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
      message: expect.stringContaining("garbage-collected"),
    });
    const table = (entries: number): Uint8Array =>
      wasmFromWat(`(module (table ${entries} funcref) (func (export "f")))`);
    await expect(runtime.inspect(table(262_145))).rejects.toMatchObject({ reason: Reason.MODULE_KIND_UNSUPPORTED });
    expect((await runtime.inspect(table(262_144))).kind).toBe("functions");
  });

  it("refuses what would use up the process around the guest: many memories, large tables' contents, many of anything", async () => {
    const memories = (count: number): string => `(module ${"(memory 0)".repeat(count)} (func (export "f")))`;
    await expect(runtime.inspect(await wasm(memories(9)))).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
      message: "Cannot host module: it has 9 memories (at most 8)",
    });
    expect((await runtime.inspect(await wasm(memories(8)))).kind).toBe("functions");
    const elements = (count: number): string => `(module (func $f (export "f")) (elem func ${"$f ".repeat(count)}))`;
    await expect(runtime.inspect(wasmFromWat(elements(1_048_577)))).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
      message: expect.stringContaining("section 9 "),
    });
    expect((await runtime.inspect(wasmFromWat(elements(1_000_000)))).kind).toBe("functions");
    const types = (count: number): string => `(module ${"(type (func))".repeat(count)} (func (export "f")))`;
    await expect(runtime.inspect(wasmFromWat(types(20_001)))).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
    });
    expect((await runtime.inspect(wasmFromWat(types(20_000)))).kind).toBe("functions");
  });

  it("refuses sections that come again, in a module and in one inside a component", async () => {
    const module = wasmFromWat(`(module (func (export "f")))`);
    const typeSection = [1, 4, 1, 0x60, 0, 0];
    const twice = Uint8Array.from([...module.subarray(0, 8), ...typeSection, ...module.subarray(8)]);
    const wrapped = (layer: number, bytes: readonly number[]): number[] => [
      layer,
      ...lebFromUnsigned(BigInt(bytes.length)),
      ...bytes,
    ];
    const component = (parts: readonly number[]): number[] => [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, ...parts];
    for (const bytes of [twice, Uint8Array.from(component(wrapped(1, [...twice])))]) {
      await expect(runtime.inspect(bytes)).rejects.toMatchObject({
        reason: Reason.MODULE_MALFORMED,
        message: "Cannot read module: it has section 1 twice",
      });
    }
  });

  it("refuses at once what would take long to read, and reads what is merely large", async () => {
    const module = (section: number, bytes: Uint8Array): Uint8Array =>
      Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, section, ...lebFromUnsigned(BigInt(bytes.length)), ...bytes]);
    await expect(runtime.inspect(module(7, new Uint8Array(1024 * 1024 + 1)))).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
    });
    const many = Uint8Array.from([...lebFromUnsigned(1_000_001n), ...new Uint8Array(10)]);
    await expect(runtime.inspect(module(1, many))).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: expect.stringContaining("1000001 entries"),
    });
    const sections = (count: number): Uint8Array =>
      Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...Array.from({ length: count }, () => [0, 1, 0]).flat()]);
    await expect(runtime.inspect(sections(10_001))).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: expect.stringContaining("sections"),
    });
    await expect(runtime.inspect(sections(10_000))).rejects.toMatchObject({
      message: expect.stringContaining("exports no function"),
    });
    const exports = Array.from({ length: 20_000 }, (_, index) => `(export "function number ${index}" (func $f))`).join(
      "",
    );
    expect((await runtime.inspect(wasmFromWat(`(module (func $f) ${exports})`))).exports).toHaveLength(20_000);
  });

  it("refuses components whose names add up, also over many modules", async () => {
    const name = "n".repeat(90_000);
    const modules = (count: number): string =>
      `(core module (func $f) ${Array.from({ length: 10 }, (_, index) => `(export "${index}${name}" (func $f))`).join("")})`.repeat(
        count,
      );
    expect((await runtime.inspect(await wasm(`(component ${modules(9)} ${HANDLER})`))).kind).toBe("http");
    await expect(runtime.inspect(await wasm(`(component ${modules(10)} ${HANDLER})`))).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
    });
  });

  it("takes function types in groups, typed references, exceptions and tables that are imported", async () => {
    const module = await wasm(`(module
      (rec (type $a (func (param i32))) (type $b (sub final (func (param (ref null $a)) (result i64)))))
      (tag $e (type $a))
      (global (export "g") i32 (i32.const 1))
      (func (export "f") (type $b) i64.const 1))`);
    expect(await runtime.inspect(module)).toMatchObject({ kind: "functions", exports: ["g", "f"] });
  });

  it.each(["x'];globalThis.process.exit(1);['", "a\\nb", "back\\\\slash", "tick`", "__proto__", "constructor"])(
    "takes the name %j of something inside a component for a name and no more",
    async (name) => {
      const component = await wasm(`(component
        (core module $m (func (export "${name}")))
        (core module $n (import "${name}" "${name}" (func)))
        (core instance $i (instantiate $m))
        (core instance (instantiate $n (with "${name}" (instance $i))))
        ${HANDLER})`);
      expect((await runtime.inspect(component)).kind).toBe("http");
      const guest = await runtime.start(guestStart(component));
      await guest.kill();
    },
  );
});
