import { once } from "node:events";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { transpiledFromFiles } from "../../../src/runtime/component-glue.ts";
import { runCoreGuest } from "../../../src/runtime/guest/core-guest.ts";
import { runHttpGuest } from "../../../src/runtime/guest/http-guest.ts";
import {
  countingTextDecoder,
  createLiftBudget,
  HANDLES_MAX,
  LIFT_MAX_BYTES,
} from "../../../src/runtime/guest/lift-budget.ts";
import type { FromGuest, GuestBoot, GuestProgram } from "../../../src/runtime/worker-protocol.ts";
import { PROBE } from "../probe-guest.ts";
import { windowCost } from "../../../src/runtime/worker-protocol.ts";
import { wasmFromWat } from "../wat.ts";
import { openGuestLine, type GuestLine } from "./guest-line.ts";

const { files } = await transpileBytes(PROBE, {
  name: "guest",
  instantiation: "sync",
  wasiShim: false,
  emitTypescriptDeclarations: false,
});
const { glue, modules } = transpiledFromFiles(files, "guest");
const PROGRAM: Extract<GuestProgram, { kind: "http" }> = {
  kind: "http",
  glue,
  modules: new Map([...modules].map(([name, bytes]) => [name, new WebAssembly.Module(new Uint8Array(bytes))] as const)),
  handlerExport: "wasi:http/incoming-handler@0.2.12",
};
const SURROUNDINGS: Pick<GuestBoot, "args" | "env" | "stdin"> = { args: [], env: {}, stdin: new Uint8Array() };

// The guest runs on this thread here, as it does on its own elsewhere: calls begin with a message to an idle thread.
let line: GuestLine;
beforeEach(() => {
  line = openGuestLine();
});
afterEach(() => line.close());

async function nextSaid(): Promise<FromGuest> {
  const [message] = await once(line.agentPort, "message");
  return message;
}

describe("a component on its thread", () => {
  it("is ready, then answers one request after the other", async () => {
    runHttpGuest(line.channel, { ...SURROUNDINGS, program: PROGRAM });
    expect(await nextSaid()).toEqual({ kind: "ready" });
    for (const number of ["1", "2"]) {
      line.post({
        kind: "request",
        method: "GET",
        scheme: "http",
        authority: "h",
        pathWithQuery: "/calls",
        headers: [],
        hasBody: false,
      });
      const said = [await nextSaid(), ...line.said()];
      expect(said.map(({ kind }) => kind)).toEqual(["head", "body", "handled"]);
      expect(
        said.flatMap((message) => (message.kind === "body" ? [Buffer.from(message.bytes).toString()] : [])),
      ).toEqual([number]);
    }
    line.post({ kind: "invoke", name: "handle", values: [] });
    line.post({
      kind: "request",
      method: "GET",
      scheme: "http",
      authority: "h",
      pathWithQuery: "/trap",
      headers: [],
      hasBody: false,
    });
    expect(await nextSaid()).toMatchObject({ kind: "ended", ending: { kind: "trapped" } });
  });

  it.each([
    ["a core module is missing", { modules: new Map() }, "there is no core module guest.core.wasm"],
    [
      "the handler is missing",
      { handlerExport: "wasi:http/incoming-handler@0.2.0" },
      "has no function wasi:http/incoming-handler@0.2.0#handle",
    ],
  ])("ends when %s", async (_, change, message) => {
    runHttpGuest(line.channel, { ...SURROUNDINGS, program: { ...PROGRAM, ...change } });
    expect(await nextSaid()).toMatchObject({
      kind: "ended",
      ending: { kind: "trapped", message: expect.stringContaining(message) },
    });
  });
});

describe("a core module on its thread", () => {
  it("serves calls", async () => {
    const module = new WebAssembly.Module(
      wasmFromWat(
        `(module (func (export "_initialize")) (func (export "pair") (result i32 i64) i32.const 1 i64.const 2))`,
      ),
    );
    runCoreGuest(line.channel, { ...SURROUNDINGS, program: { kind: "functions", module } });
    expect(await nextSaid()).toEqual({ kind: "ready" });
    line.post({ kind: "bodyEnd" });
    line.post({ kind: "invoke", name: "pair", values: [] });
    expect(await nextSaid()).toEqual({ kind: "returned", values: [1, 2n] });
    line.post({ kind: "invoke", name: "missing", values: [] });
    expect(await nextSaid()).toEqual({
      kind: "ended",
      ending: { kind: "trapped", message: 'the module exports no function "missing"' },
    });
  });

  it("runs a command to its end, writing, sleeping and exiting on the way", async () => {
    const module = new WebAssembly.Module(
      wasmFromWat(`(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 100) "hi")
        (func (export "_start")
          (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 2))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (i32.store (i32.const 528) (i32.const 1)) (i64.store (i32.const 536) (i64.const 1000000))
          (drop (call $poll (i32.const 512) (i32.const 1024) (i32.const 1) (i32.const 8)))
          (call $exit (i32.const 4))))`),
    );
    runCoreGuest(line.channel, { ...SURROUNDINGS, program: { kind: "command", module } });
    const said = [await nextSaid(), ...line.said()];
    expect(said[1]).toEqual({ kind: "output", stream: "stdout", bytes: new Uint8Array(Buffer.from("hi")) });
    // Its exit is told twice: once before it is thrown, once when it has come out of the guest. The first counts.
    expect(said.slice(2)).toEqual([1, 2].map(() => ({ kind: "ended", ending: { kind: "exited", exitCode: 4 } })));
  });

  it("ends when its start function traps", async () => {
    const module = new WebAssembly.Module(
      wasmFromWat(`(module (func $f unreachable) (start $f) (func (export "_start")))`),
    );
    runCoreGuest(line.channel, { ...SURROUNDINGS, program: { kind: "command", module } });
    expect(await nextSaid()).toEqual({ kind: "ended", ending: { kind: "trapped", message: "unreachable" } });
  });
});

describe("the line to the agent", () => {
  it("holds output back beyond its window, and keeps what came in meanwhile in order", () => {
    const { channel } = line;
    channel.writeOutput("stdout", new Uint8Array(200_000));
    line.post({ kind: "bodyEnd" });
    line.post({ kind: "outputTaken", bytes: windowCost(200_000) });
    line.post({ kind: "responseTaken", bytes: 1 });
    channel.writeOutput("stdout", new Uint8Array(200_000));
    expect(line.said().map(({ kind }) => kind)).toEqual(["output", "output"]);
    expect([channel.receive(), channel.poll(), channel.poll()]).toEqual([
      { kind: "bodyEnd" },
      { kind: "responseTaken", bytes: 1 },
      undefined,
    ]);
    line.post({ kind: "outputTaken", bytes: windowCost(200_000) });
    expect(channel.poll()).toBeUndefined();
    line.post({ kind: "bodyEnd" });
    channel.writeOutput("stderr", new Uint8Array(600_000 - 524_288));
    expect(channel.poll()).toEqual({ kind: "bodyEnd" });
  });

  it("waits no longer than it is told", () => {
    expect(line.channel.receive(process.hrtime.bigint() + 1_000_000n)).toBeUndefined();
    line.channel.sleepMs(1);
    line.channel.sleepMs(0);
  });
});

describe("the account of what a call passes", () => {
  it("takes exactly its limit, and begins anew with each call", () => {
    const budget = createLiftBudget();
    budget.charge(LIFT_MAX_BYTES);
    expect(() => budget.charge(1)).toThrow("in one call");
    budget.begin();
    expect(budget.copy(new Uint8Array([1, 2, 3]).buffer, 1, 3).byteLength).toBe(2);
    const Decoder = countingTextDecoder(budget);
    expect(new Decoder().decode(Buffer.from("text"))).toBe("text");
    expect(() => {
      for (;;) budget.element();
    }).toThrow("in one call");
  });
});

describe("the account of handles", () => {
  it("lets a guest hold exactly its limit at a time, and as many as it likes one after the other", () => {
    const budget = createLiftBudget();
    for (let round = 0; round < 3 * HANDLES_MAX; round++) {
      budget.opened();
      budget.closed();
    }
    for (let count = 0; count < HANDLES_MAX; count++) budget.opened();
    expect(() => budget.opened()).toThrow("handles of host resources");
  });
});

describe("the heap around a guest", () => {
  it("gives out no more handles when it fills, and does while it is below", () => {
    let share = 0.6;
    const budget = createLiftBudget(() => share);
    for (let count = 0; count < 640; count++) budget.opened();
    share = 0.61;
    expect(() => {
      for (let count = 0; count < 64; count++) budget.opened();
    }).toThrow("take too much memory");
  });
});

describe("the glue that jco makes", () => {
  it("is refused when it is not as expected, instead of running without its limits", () => {
    const bytes = (source: string): Record<string, Uint8Array> => ({ "guest.js": new TextEncoder().encode(source) });
    expect(() => transpiledFromFiles(bytes("export const x = 1;"), "guest")).toThrow(
      "does not export instantiate once",
    );
    expect(() => transpiledFromFiles(bytes("import a from 'b';\nexport function instantiate() {}"), "guest")).toThrow(
      "imports or exports something else",
    );
    expect(() => transpiledFromFiles(bytes("export function instantiate() { imports['a']; }"), "guest")).toThrow(
      "imports are not called, or handles not dropped, as expected",
    );
  });

  it("has no debug calls left that would run", () => {
    expect(glue).not.toMatch(/^\s*_debugLog\(/m);
    expect(glue).toMatch(/^\s*false && _debugLog\(/m);
  });
});
