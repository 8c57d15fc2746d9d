import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { describe, expect, it } from "vitest";
import { promisingExport, suspendingImport } from "../../src/runtime/component/jspi.ts";
import { uncatchableError } from "../../src/runtime/uncatchable.ts";

/** Calls its import below a handler for everything; answers 77 if the handler was reached. */
const CATCHER = new WebAssembly.Module(
  new Uint8Array(
    await parse(`(module (import "host" "call" (func $call))
      (func (export "run") (result i32)
        (block $caught (try_table (catch_all $caught) (call $call)) (return (i32.const 0)))
        (i32.const 77)))`),
  ),
);

function run(call: () => unknown): Promise<unknown> {
  const imports = { host: { call: suspendingImport(call) as WebAssembly.ImportValue } };
  const { run: exported } = new WebAssembly.Instance(CATCHER, imports).exports;
  return promisingExport(exported as () => unknown)();
}

describe("an error that no guest can catch", () => {
  it("passes its handlers, thrown at once as after a wait, while any other is caught", async () => {
    const thrower = (error: Error) => (): never => {
      throw error;
    };
    expect(await run(thrower(new Error("caught")))).toBe(77);
    expect(await run(() => Promise.reject(new WebAssembly.RuntimeError("caught")))).toBe(77);
    const error = uncatchableError("gone");
    await expect(run(thrower(error))).rejects.toBe(error);
    await expect(run(() => Promise.reject(error))).rejects.toBe(error);
  });

  it("says what it stands for, each by itself", () => {
    const cause = new Error("why");
    const [first, second] = [uncatchableError("first", cause), uncatchableError("second")];
    expect([first.message, first.cause, second.message, second.cause]).toEqual(["first", cause, "second", undefined]);
    expect(first).toBeInstanceOf(WebAssembly.RuntimeError);
  });
});
