import { describe, expect, it } from "vitest";
import { Trap } from "../../../src/runtime/component/trap.ts";
import { HandleLimit } from "../../../src/runtime/handle-limit.ts";
import type { HostInterfaces } from "../../../src/runtime/component/component-value.ts";
import { call, instanceFromWat } from "./component-guest.ts";

/** A guest that opens, uses, passes on and drops resources of its host, as it is told. */
const GUEST = `(component
  (import "test:files/files@0.2.3" (instance $host
    (export "file" (type $file (sub resource)))
    (export "open" (func (param "name" u32) (result (own $file))))
    (export "read" (func (param "file" (borrow $file)) (result u32)))
    (export "close" (func (param "file" (own $file)) (result u32)))
    (export "swap" (func (param "a" (borrow $file)) (param "b" (own $file)) (result u32)))))
  (alias export $host "file" (type $file))
  (core func $open (canon lower (func $host "open")))
  (core func $read (canon lower (func $host "read")))
  (core func $close (canon lower (func $host "close")))
  (core func $swap (canon lower (func $host "swap")))
  (core func $drop (canon resource.drop $file))
  (core module $Main
    (import "h" "open" (func $open (param i32) (result i32)))
    (import "h" "read" (func $read (param i32) (result i32)))
    (import "h" "close" (func $close (param i32) (result i32)))
    (import "h" "swap" (func $swap (param i32 i32) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (func (export "open") (param i32) (result i32) (call $open (local.get 0)))
    (func (export "read") (param i32) (result i32) (call $read (local.get 0)))
    (func (export "close") (param i32) (result i32) (call $close (local.get 0)))
    (func (export "swap") (param i32 i32) (result i32) (call $swap (local.get 0) (local.get 1)))
    (func (export "drop") (param i32) (call $drop (local.get 0)))
    (func (export "borrow") (param i32) (result i32) (local $seen i32)
      (local.set $seen (call $read (local.get 0)))
      (call $drop (local.get 0))
      (local.get $seen))
    (func (export "keep") (param i32))
    (func (export "give-away-borrowed") (param i32) (drop (call $close (local.get 0)))))
  (core instance $main (instantiate $Main (with "h" (instance
    (export "open" (func $open)) (export "read" (func $read)) (export "close" (func $close))
    (export "swap" (func $swap)) (export "drop" (func $drop))))))
  (func (export "open") (param "name" u32) (result u32) (canon lift (core func $main "open")))
  (func (export "read") (param "h" u32) (result u32) (canon lift (core func $main "read")))
  (func (export "close") (param "h" u32) (result u32) (canon lift (core func $main "close")))
  (func (export "swap") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $main "swap")))
  (func (export "drop") (param "h" u32) (canon lift (core func $main "drop")))
  (func (export "borrow") (param "file" (borrow $file)) (result u32) (canon lift (core func $main "borrow")))
  (func (export "keep") (param "file" (borrow $file)) (canon lift (core func $main "keep")))
  (func (export "give-away-borrowed") (param "file" (borrow $file)) (canon lift (core func $main "give-away-borrowed")))
)`;

type File = { readonly name: number };

function host(): { readonly interfaces: HostInterfaces; readonly dropped: number[]; readonly closed: number[] } {
  const dropped: number[] = [];
  const closed: number[] = [];
  return {
    dropped,
    closed,
    interfaces: {
      "test:files/files": {
        functions: {
          open: (name: number): File => ({ name }),
          read: (file: File) => file.name,
          close: (file: File) => closed.push(file.name),
          swap: (a: File, b: File) => a.name * 100 + b.name,
        },
        resources: { file: { drop: (file: File) => void dropped.push(file.name) } },
      },
    },
  };
}

describe("resources of the host", () => {
  it("are the host's own objects, under numbers that count from 1 and are used again", async () => {
    const { interfaces, dropped, closed } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    expect([call(guest, "open", 7), call(guest, "open", 8), call(guest, "open", 9)]).toEqual([1, 2, 3]);
    expect(call(guest, "read", 2)).toBe(8);
    call(guest, "drop", 2);
    expect(dropped).toEqual([8]);
    expect(call(guest, "open", 10)).toBe(2);
    call(guest, "close", 1);
    expect(closed).toEqual([7]);
    expect(guest.openHandles).toBe(2);
  });

  it.each(["read", "drop", "close"])("traps on %s of a number that stands for nothing", async (operation) => {
    const { interfaces } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    call(guest, "open", 7);
    call(guest, "drop", 1);
    expect(() => call(guest, operation, 1)).toThrow(new Trap("handle 1 is not there"));
    expect(() => call(guest, "open", 7)).toThrow("handle 1 is not there");
  });

  it("traps when a handle is lent and given away in one call, not when two are passed", async () => {
    const { interfaces } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    call(guest, "open", 7);
    call(guest, "open", 8);
    expect(call(guest, "swap", 1, 2)).toBe(708);
    expect(() => call(guest, "swap", 1, 1)).toThrow("handle 1 is lent and given away in one call");
  });

  it("are lent for one call, in which the guest drops its handle", async () => {
    const { interfaces, dropped } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    expect(call(guest, "borrow", { name: 5 })).toBe(5);
    expect(dropped).toEqual([]);
    expect(guest.openHandles).toBe(0);
  });

  it("traps when a borrowed handle is kept beyond its call", async () => {
    const { interfaces } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    expect(() => call(guest, "keep", { name: 5 })).toThrow("it kept 1 borrowed handles beyond the call that lent them");
  });

  it("traps when a borrowed handle is given away", async () => {
    const { interfaces } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    expect(() => call(guest, "give-away-borrowed", { name: 5 })).toThrow(
      "handle 1 is borrowed and cannot be given away",
    );
  });

  it("can be held up to openHandlesMax; one more ends the guest with a HandleLimit", async () => {
    const { interfaces } = host();
    const guest = await instanceFromWat(GUEST, interfaces, { openHandlesMax: 3 });
    for (const name of [1, 2, 3]) call(guest, "open", name);
    call(guest, "drop", 3);
    call(guest, "open", 4);
    expect(() => call(guest, "open", 5)).toThrow(HandleLimit);
    expect(guest.failure?.error).toBeInstanceOf(HandleLimit);
  });

  it("are dropped when the instance is disposed of, and only once", async () => {
    const { interfaces, dropped } = host();
    const guest = await instanceFromWat(GUEST, interfaces);
    for (const name of [1, 2, 3]) call(guest, "open", name);
    call(guest, "drop", 2);
    guest.dispose();
    guest.dispose();
    expect(new Set(dropped)).toEqual(new Set([1, 2, 3]));
    expect(dropped).toHaveLength(3);
    expect(guest.openHandles).toBe(0);
    expect(() => call(guest, "open", 1)).toThrow("the instance was disposed of");
  });
});
