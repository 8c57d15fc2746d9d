import { describe, expect, it } from "vitest";
import { call, instanceFromWat } from "./component-guest.ts";

/** A guest that passes a list of \`count\` strings, all of them the same \`length\` bytes of its memory. */
const REPEATER = `(component
  (import "test:repeat/host" (instance $host (export "take" (func (param "texts" (list string)) (result u32)))))
  (core module $Memory (memory (export "memory") 100))
  (core instance $memory (instantiate $Memory))
  (core func $take (canon lower (func $host "take") (memory (core memory $memory "memory"))))
  (core module $Main
    (import "m" "memory" (memory 1))
    (import "h" "take" (func $take (param i32 i32) (result i32)))
    (func (export "repeat") (param $count i32) (param $length i32) (result i32) (local $at i32) (local $left i32)
      (local.set $at (i32.const 2000000))
      (local.set $left (local.get $count))
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (i32.store (local.get $at) (i32.const 1024))
        (i32.store offset=4 (local.get $at) (local.get $length))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
      (call $take (i32.const 2000000) (local.get $count))))
  (core instance $main (instantiate $Main (with "m" (instance $memory)) (with "h" (instance (export "take" (func $take))))))
  (func (export "repeat") (param "count" u32) (param "length" u32) (result u32) (canon lift (core func $main "repeat"))))`;

const HOST = { "test:repeat/host": { functions: { take: (texts: readonly string[]) => texts.length } } };

describe("what one call passes to the host", () => {
  it("may name the same memory many times, up to liftMaxBytes", async () => {
    const guest = await instanceFromWat(REPEATER, HOST, { liftMaxBytes: 1024 * 1024 });
    // Text counts four times its bytes, beside what an element takes: 10 * (25_000 * 4 + some) is just below.
    expect(call(guest, "repeat", 10, 25_000)).toBe(10);
    expect(call(guest, "repeat", 10, 25_000)).toBe(10);
    expect(() => call(guest, "repeat", 11, 25_000)).toThrow(
      "it passed more than 1048576 bytes to the host in one call",
    );
  });

  it("counts elements that are empty as well", async () => {
    const guest = await instanceFromWat(REPEATER, HOST, { liftMaxBytes: 1024 * 1024 });
    expect(call(guest, "repeat", 10_000, 0)).toBe(10_000);
    expect(() => call(guest, "repeat", 100_000, 0)).toThrow(
      "it passed more than 1048576 bytes to the host in one call",
    );
  });
});
