import { describe, expect, it } from "vitest";
import type { ComponentInstance } from "../../../src/runtime/component/instantiate-component.ts";
import { call, instanceFromWat } from "./component-guest.ts";

/** A guest that calls its host in the middle of \`run\`, and says afterwards whether it came through. */
function callerWat(body: string, extra = ""): string {
  return `(component
    (import "test:host/host" (instance $host (export "f" (func (param "n" u32) (result u32)))))
    (core func $f (canon lower (func $host "f")))
    (core module $Main
      (import "h" "f" (func $f (param i32) (result i32)))
      (memory (export "memory") 1)
      ${body})
    (core instance $main (instantiate $Main (with "h" (instance (export "f" (func $f))))))
    ${extra}
    (func (export "run") (result u32) (canon lift (core func $main "run")))
    (func (export "again") (result u32) (canon lift (core func $main "again"))))`;
}

const PLAIN = `
  (func (export "run") (result i32) (call $f (i32.const 1)))
  (func (export "again") (result i32) (i32.const 7))`;

describe("a guest that has trapped", () => {
  it("throws the same for every later call", async () => {
    const guest = await instanceFromWat(
      `(component
        (core module $Main (func (export "run") unreachable) (func (export "again")))
        (core instance $main (instantiate $Main))
        (func (export "run") (canon lift (core func $main "run")))
        (func (export "again") (canon lift (core func $main "again"))))`,
    );
    call(guest, "again");
    expect(guest.failure).toBeUndefined();
    expect(() => call(guest, "run")).toThrow(WebAssembly.RuntimeError);
    expect(() => call(guest, "again")).toThrow(/unreachable/);
    expect(guest.failure?.error).toBeInstanceOf(WebAssembly.RuntimeError);
  });

  it("throws what its host threw, as it was", async () => {
    const left = new Error("exit code 3");
    const guest = await instanceFromWat(callerWat(PLAIN), {
      "test:host/host": {
        functions: {
          f() {
            throw left;
          },
        },
      },
    });
    expect(() => call(guest, "run")).toThrow(left);
    expect(guest.failure?.error).toBe(left);
  });

  it("cannot catch what its host throws", async () => {
    let calls = 0;
    const left = new Error("exit code 3");
    const guest = await instanceFromWat(
      callerWat(`
        (func (export "run") (result i32)
          (block $caught (try_table (catch_all $caught) (drop (call $f (i32.const 1)))))
          (drop (call $f (i32.const 2)))
          (i32.const 1))
        (func (export "again") (result i32) (i32.const 7))`),
      {
        "test:host/host": {
          functions: {
            f() {
              calls += 1;
              throw left;
            },
          },
        },
      },
    );
    expect(() => call(guest, "run")).toThrow(left);
    expect(calls).toBe(1);
  });

  it("has returned what its host function's type does not allow: a mistake of the host", async () => {
    const guest = await instanceFromWat(callerWat(PLAIN), { "test:host/host": { functions: { f: () => "three" } } });
    expect(() => call(guest, "run")).toThrow(new TypeError("a value for u32 is string"));
  });
});

describe("what a guest may not do while it works for its host", () => {
  const host = { "test:host/host": { functions: { f: (n: number) => n } } };

  it.each([
    [
      "when it cleans up after a call",
      "post-return",
      `(func (export "text") (result string) (canon lift (core func $main "text") (memory (core memory $main "memory")) (post-return (core func $main "post"))))`,
    ],
    [
      "when it allocates",
      "realloc",
      `(func (export "take") (param "s" string) (canon lift (core func $main "take") (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))`,
    ],
  ])("is to call imports %s", async (_, what, extra) => {
    const calls = what === "post-return" ? "(drop (call $f (i32.const 1)))" : "";
    const body = (isBad: boolean): string => `
      (func (export "run") (result i32) (i32.const 1)) (func (export "again") (result i32) (i32.const 1))
      (func (export "text") (result i32) (i32.const 16))
      (func (export "post") (param i32) ${isBad ? calls : ""})
      (func (export "take") (param i32 i32))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) ${isBad ? "(drop (call $f (i32.const 1)))" : ""} (i32.const 64))`;
    const act = (instance: ComponentInstance): unknown =>
      what === "post-return" ? call(instance, "text") : call(instance, "take", "hello");
    const good = await instanceFromWat(callerWat(body(false), extra), host);
    act(good);
    const bad = await instanceFromWat(callerWat(body(true), extra), host);
    expect(() => act(bad)).toThrow("it calls an import while it allocates or cleans up for its host");
  });

  it("is to be called again by what it calls", async () => {
    // The parent's table is filled with the child's function only after the child was given the parent's.
    const wat = (entry: string): string => `(component
      (core module $Parent (table (export "t") 1 funcref) (func (export "back") (call_indirect (i32.const 0))))
      (core instance $parent (instantiate $Parent))
      (func $back (canon lift (core func $parent "back")))
      (component $Child
        (import "back" (func $back))
        (core func $b (canon lower (func $back)))
        (core module $Main (import "h" "back" (func $back)) (func (export "go") (call $back)) (func (export "quiet")))
        (core instance $main (instantiate $Main (with "h" (instance (export "back" (func $b))))))
        (func (export "go") (canon lift (core func $main "go")))
        (func (export "quiet") (canon lift (core func $main "quiet"))))
      (instance $child (instantiate $Child (with "back" (func $back))))
      (core func $entry (canon lower (func $child "${entry}")))
      (core module $Fill (import "p" "t" (table 1 funcref)) (import "c" "f" (func $f)) (elem (i32.const 0) $f))
      (core instance (instantiate $Fill (with "p" (instance $parent)) (with "c" (instance (export "f" (func $entry))))))
      (export "parent" (func $back))
      (export "child" (func $child "go")))`;
    call(await instanceFromWat(wat("quiet")), "parent");
    const looping = await instanceFromWat(wat("go"));
    expect(() => call(looping, "child")).toThrow("it is called while it has a call going on");
  });
});
