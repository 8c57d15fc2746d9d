import { describe, expect, it } from "vitest";
import { GuestResource } from "../../../src/runtime/component/guest-resource.ts";
import { call, instanceFromWat } from "./component-guest.ts";

/** A component that makes counters; \`live\` says how many there are. */
const COUNTERS = `
  (core module $Dtor (table (export "t") 1 funcref)
    (func (export "dtor") (param i32) (call_indirect (param i32) (local.get 0) (i32.const 0))))
  (core instance $dtor (instantiate $Dtor))
  (type $counter (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (core func $new (canon resource.new $counter))
  (core func $rep (canon resource.rep $counter))
  (core func $drop (canon resource.drop $counter))
  (core module $Main
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "rep" (func $rep (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (import "d" "t" (table 1 funcref))
    (global $live (mut i32) (i32.const 0))
    (func $dtor (param i32)
      (if (i32.eq (local.get 0) (i32.const 666)) (then unreachable))
      (global.set $live (i32.sub (global.get $live) (i32.const 1))))
    (elem (i32.const 0) $dtor)
    (func (export "make") (param i32) (result i32)
      (global.set $live (i32.add (global.get $live) (i32.const 1)))
      (call $new (local.get 0)))
    (func (export "value") (param i32) (result i32) (local.get 0))
    (func (export "take") (param i32) (result i32) (local $rep i32)
      (local.set $rep (call $rep (local.get 0)))
      (call $drop (local.get 0))
      (local.get $rep))
    (func (export "live") (result i32) (global.get $live)))
  (core instance $main (instantiate $Main
    (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))
    (with "d" (instance $dtor))))
  (export $counter2 "counter" (type $counter))
  (func (export "make") (param "value" u32) (result (own $counter2)) (canon lift (core func $main "make")))
  (func (export "[method]counter.value") (param "self" (borrow $counter2)) (result u32) (canon lift (core func $main "value")))
  (func (export "take") (param "counter" (own $counter2)) (result u32) (canon lift (core func $main "take")))
  (func (export "live") (result u32) (canon lift (core func $main "live")))`;

const ALONE = `(component ${COUNTERS})`;

/** The same behind another component, which keeps a counter of its own and passes others through. */
const COMPOSED = `(component
  (component $Counters ${COUNTERS})
  (instance $counters (instantiate $Counters))
  (component $User
    (import "counters" (instance $c
      (export "counter" (type $counter (sub resource)))
      (export "make" (func (param "value" u32) (result (own $counter))))
      (export "[method]counter.value" (func (param "self" (borrow $counter)) (result u32)))
      (export "take" (func (param "counter" (own $counter)) (result u32)))))
    (alias export $c "counter" (type $counter))
    (core func $make (canon lower (func $c "make")))
    (core func $value (canon lower (func $c "[method]counter.value")))
    (core func $take (canon lower (func $c "take")))
    (core func $drop (canon resource.drop $counter))
    (core module $Main
      (import "c" "make" (func $make (param i32) (result i32)))
      (import "c" "value" (func $value (param i32) (result i32)))
      (import "c" "take" (func $take (param i32) (result i32)))
      (import "c" "drop" (func $drop (param i32)))
      (func (export "lend") (param i32) (result i32) (local $h i32) (local $v i32)
        (local.set $h (call $make (local.get 0)))
        (local.set $v (i32.add (call $value (local.get $h)) (call $value (local.get $h))))
        (call $drop (local.get $h))
        (local.get $v))
      (func (export "hand-over") (param i32) (result i32) (call $take (call $make (local.get 0))))
      (func (export "use-after") (param i32) (result i32) (local $h i32)
        (local.set $h (call $make (local.get 0)))
        (drop (call $take (local.get $h)))
        (call $value (local.get $h)))
      (func (export "borrowed") (param i32) (result i32) (local $v i32)
        (local.set $v (call $value (local.get 0)))
        (call $drop (local.get 0))
        (local.get $v)))
    (core instance $main (instantiate $Main (with "c" (instance
      (export "make" (func $make)) (export "value" (func $value)) (export "take" (func $take)) (export "drop" (func $drop))))))
    (func (export "lend") (param "n" u32) (result u32) (canon lift (core func $main "lend")))
    (func (export "hand-over") (param "n" u32) (result u32) (canon lift (core func $main "hand-over")))
    (func (export "use-after") (param "n" u32) (result u32) (canon lift (core func $main "use-after")))
    (func (export "borrowed") (param "c" (borrow $counter)) (result u32) (canon lift (core func $main "borrowed"))))
  (instance $user (instantiate $User (with "counters" (instance $counters))))
  (export "counters" (instance $counters))
  (export "user" (instance $user)))`;

describe("resources that a guest makes", () => {
  it("come to JavaScript as objects that its functions take back", async () => {
    const guest = await instanceFromWat(ALONE);
    const counter = call(guest, "make", 42);
    expect(counter).toBeInstanceOf(GuestResource);
    expect(call(guest, "[method]counter.value", counter)).toBe(42);
    expect(call(guest, "take", counter)).toBe(42);
    expect(() => call(guest, "take", counter)).toThrow("a resource is passed on that is not owned");
  });

  it("are cleaned up by the guest when JavaScript drops them, and once", async () => {
    const guest = await instanceFromWat(ALONE);
    const counter = call(guest, "make", 1);
    const other = call(guest, "make", 2);
    if (!(counter instanceof GuestResource) || !(other instanceof GuestResource)) throw new Error("no resource");
    expect(call(guest, "live")).toBe(2);
    void counter.drop();
    void counter.drop();
    expect(call(guest, "live")).toBe(1);
    expect(call(guest, "take", other)).toBe(2);
    void other.drop();
    expect(call(guest, "live")).toBe(0);
  });

  it("end the guest when its destructor traps", async () => {
    const guest = await instanceFromWat(ALONE);
    const counter = call(guest, "make", 666);
    if (!(counter instanceof GuestResource)) throw new Error("no resource");
    expect(() => counter.drop()).toThrow(WebAssembly.RuntimeError);
    expect(() => call(guest, "live")).toThrow(WebAssembly.RuntimeError);
  });

  it("are refused by another copy of the same component", async () => {
    const [guest, other] = await Promise.all([instanceFromWat(ALONE), instanceFromWat(ALONE)]);
    const counter = call(guest, "make", 42);
    expect(() => call(other, "[method]counter.value", counter)).toThrow(
      "a value for a resource that this component made",
    );
  });

  it("are lent and given away between nested components", async () => {
    const guest = await instanceFromWat(COMPOSED);
    expect(call(guest, "user#lend", 21)).toBe(42);
    expect(call(guest, "user#hand-over", 5)).toBe(5);
    expect(call(guest, "counters#live")).toBe(0);
  });

  it("cannot be used by a nested component that gave them away", async () => {
    const guest = await instanceFromWat(COMPOSED);
    expect(() => call(guest, "user#use-after", 5)).toThrow("handle 1 is not there");
  });

  it("are lent by JavaScript to a component that did not make them", async () => {
    const guest = await instanceFromWat(COMPOSED);
    const counter = call(guest, "counters#make", 33);
    expect(call(guest, "user#borrowed", counter)).toBe(33);
    expect(call(guest, "counters#[method]counter.value", counter)).toBe(33);
  });
});
