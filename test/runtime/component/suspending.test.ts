import { describe, expect, it } from "vitest";
import type { HostInterfaces } from "../../../src/runtime/component/component-value.ts";
import { GuestResource } from "../../../src/runtime/component/guest-resource.ts";
import { call, instanceFromWat } from "./component-guest.ts";

/** Asks the host for a number and gives it on, one larger; counts how often it has come so far. */
const ASKER = `
  (import "test:host/host" (instance $host
    (export "ask" (func (param "n" u32) (result u32)))
    (export "tell" (func (param "n" u32)))))
  (core func $ask (canon lower (func $host "ask")))
  (core func $tell (canon lower (func $host "tell")))
  (core module $Main
    (import "h" "ask" (func $ask (param i32) (result i32)))
    (import "h" "tell" (func $tell (param i32)))
    (global $answers (mut i32) (i32.const 0))
    (func (export "ask") (param i32) (result i32) (local $answer i32)
      (local.set $answer (call $ask (local.get 0)))
      (global.set $answers (i32.add (global.get $answers) (i32.const 1)))
      (call $tell (global.get $answers))
      (i32.add (local.get $answer) (i32.const 1)))
    (func (export "answers") (result i32) (global.get $answers)))
  (core instance $main (instantiate $Main (with "h" (instance (export "ask" (func $ask)) (export "tell" (func $tell))))))
  (func $asked (export "ask") (param "n" u32) (result u32) (canon lift (core func $main "ask")))
  (func (export "answers") (result u32) (canon lift (core func $main "answers")))`;

/** The same in a nested component, called by another: a guest that suspends with another one on the stack. */
const COMPOSED = `(component
  (import "test:host/host" (instance $host
    (export "ask" (func (param "n" u32) (result u32)))
    (export "tell" (func (param "n" u32)))))
  (component $Asker ${ASKER})
  (instance $asker (instantiate $Asker (with "test:host/host" (instance $host))))
  (component $Caller
    (import "ask" (func $ask (param "n" u32) (result u32)))
    (core func $lowered (canon lower (func $ask)))
    (core module $Main
      (import "h" "ask" (func $ask (param i32) (result i32)))
      (func (export "twice") (param i32) (result i32) (call $ask (call $ask (local.get 0)))))
    (core instance $main (instantiate $Main (with "h" (instance (export "ask" (func $lowered))))))
    (func (export "twice") (param "n" u32) (result u32) (canon lift (core func $main "twice"))))
  (instance $caller (instantiate $Caller (with "ask" (func $asker "ask"))))
  (export "twice" (func $caller "twice"))
  (component $Quiet
    (core module $Main (func (export "one") (result i32) (i32.const 1)))
    (core instance $main (instantiate $Main))
    (func (export "one") (result u32) (canon lift (core func $main "one"))))
  (instance $quiet (instantiate $Quiet))
  (export "one" (func $quiet "one")))`;

function host(ask: (n: number) => unknown, told: number[] = []): HostInterfaces {
  return { "test:host/host": { functions: { ask, tell: (n: number) => void told.push(n) }, suspending: ["ask"] } };
}

describe("guests that wait", () => {
  it("are suspended while a host function's promise is pending", async () => {
    const answer = Promise.withResolvers<number>();
    const guest = await instanceFromWat(
      `(component ${ASKER})`,
      host(() => answer.promise),
    );
    const asked = call(guest, "ask", 5);
    expect(asked).toBeInstanceOf(Promise);
    answer.resolve(41);
    expect(await asked).toBe(42);
  });

  it("are not suspended when the host function answers at once, though calls still give promises", async () => {
    const guest = await instanceFromWat(
      `(component ${ASKER})`,
      host((n) => n),
    );
    expect(await call(guest, "ask", 5)).toBe(6);
    expect(guest.functions.get("ask")?.maySuspend).toBe(true);
  });

  it("cost no promise where no import may suspend", async () => {
    const { "test:host/host": quiet } = host((n) => n);
    const guest = await instanceFromWat(`(component ${ASKER})`, {
      "test:host/host": { functions: quiet?.functions ?? {} },
    });
    expect(guest.functions.get("ask")?.maySuspend).toBe(false);
    expect(call(guest, "ask", 5)).toBe(6);
  });

  it("wait below another component that called them", async () => {
    const guest = await instanceFromWat(
      COMPOSED,
      host(async (n) => n * 10),
    );
    expect(await call(guest, "twice", 1)).toBe(111);
    expect(guest.functions.get("twice")?.maySuspend).toBe(true);
  });

  it("do not make components promise that cannot reach what waits", async () => {
    const guest = await instanceFromWat(
      COMPOSED,
      host(async (n) => n),
    );
    expect(guest.functions.get("one")?.maySuspend).toBe(false);
    expect(call(guest, "one")).toBe(1);
  });

  it("take no second call meanwhile, and finish the first", async () => {
    const answer = Promise.withResolvers<number>();
    const guest = await instanceFromWat(
      `(component ${ASKER})`,
      host(() => answer.promise),
    );
    const asked = call(guest, "ask", 5);
    await expect(call(guest, "answers")).rejects.toThrow("it is called while it has a call going on");
    answer.resolve(1);
    expect(await asked).toBe(2);
  });

  it("end with what the host function rejects with", async () => {
    const failed = new Error("no answer");
    const guest = await instanceFromWat(
      `(component ${ASKER})`,
      host(() => Promise.reject(failed)),
    );
    await expect(call(guest, "ask", 5)).rejects.toBe(failed);
    await expect(call(guest, "answers")).rejects.toBe(failed);
  });

  it("do not go on when they are disposed of, and their caller is told at once", async () => {
    const answer = Promise.withResolvers<number>();
    const told: number[] = [];
    const guest = await instanceFromWat(
      `(component ${ASKER})`,
      host(() => answer.promise, told),
    );
    const asked = call(guest, "ask", 5);
    guest.dispose();
    await expect(asked).rejects.toThrow("the instance was disposed of");
    answer.resolve(1);
    await answer.promise;
    await new Promise(setImmediate);
    expect(told).toEqual([]);
  });

  it("cannot wait in a start function, which nothing could suspend", async () => {
    const wat = `(component
      (import "test:host/host" (instance $host (export "ask" (func (param "n" u32) (result u32)))))
      (core func $ask (canon lower (func $host "ask")))
      (core module $Main (import "h" "ask" (func $ask (param i32) (result i32)))
        (func $start (drop (call $ask (i32.const 1)))) (start $start))
      (core instance $main (instantiate $Main (with "h" (instance (export "ask" (func $ask)))))))`;
    await expect(
      instanceFromWat(
        wat,
        host((n) => n),
      ),
    ).rejects.toThrow(/suspend/);
    const { "test:host/host": quiet } = host((n) => n);
    await expect(
      instanceFromWat(wat, { "test:host/host": { functions: quiet?.functions ?? {} } }),
    ).resolves.toBeDefined();
  });

  it("may wait in a destructor, dropped by JavaScript or by another component", async () => {
    const events: string[] = [];
    const wat = `(component
      (import "test:host/host" (instance $host (export "ask" (func (param "n" u32) (result u32)))))
      (core func $ask (canon lower (func $host "ask")))
      (core module $D (import "h" "ask" (func $ask (param i32) (result i32))) (func (export "dtor") (param i32) (drop (call $ask (local.get 0)))))
      (core instance $d (instantiate $D (with "h" (instance (export "ask" (func $ask))))))
      (type $r (resource (rep i32) (dtor (core func $d "dtor"))))
      (core func $new (canon resource.new $r))
      (core func $drop (canon resource.drop $r))
      (core module $Main (import "r" "new" (func $new (param i32) (result i32))) (import "r" "drop" (func $drop (param i32)))
        (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
        (func (export "both") (param i32) (call $drop (call $new (local.get 0)))))
      (core instance $main (instantiate $Main (with "r" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
      (export $rr "r" (type $r))
      (func (export "make") (param "n" u32) (result (own $rr)) (canon lift (core func $main "make")))
      (func (export "both") (param "n" u32) (canon lift (core func $main "both"))))`;
    const guest = await instanceFromWat(
      wat,
      host(async (n) => {
        await Promise.resolve();
        events.push(`asked ${n}`);
        return n;
      }),
    );
    const made = await call(guest, "make", 1);
    if (!(made instanceof GuestResource)) throw new Error("no resource");
    await made.drop();
    await call(guest, "both", 2);
    expect(events).toEqual(["asked 1", "asked 2"]);
  });
});
