import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { guestStart } from "../guest-starts.ts";
import { oneThread, startToy } from "./toy-guest.ts";

/** Makes exceptions that hold each other, which live on the heap of its thread, where no limit of its own holds them. */
const CHAIN = new Uint8Array(
  await parse(`(module
    (tag $link (param exnref))
    (global $last (mut exnref) (ref.null exn))
    (func $add
      (block $caught (result exnref exnref)
        (try_table (catch_ref $link $caught) (throw $link (global.get $last)))
        unreachable)
      (global.set $last)
      drop)
    (func (export "fill") (loop $again (call $add) (br $again)))
    (func (export "some") (param $links i32)
      (loop $again (call $add) (local.set $links (i32.sub (local.get $links) (i32.const 1))) (br_if $again (local.get $links)))))`),
);

describe("a guest that fills the heap of its thread", () => {
  it("ends as what it is if the thread is its own", async () => {
    const guest = await oneThread({ threadHeapMaxMb: 48 }).start(guestStart(CHAIN, { isolation: "dedicated" }));
    expect(await guest.invoke("some", [10_000])).toEqual([]);
    await expect(guest.invoke("fill", [])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "memoryMaxBytes" });
  });

  it("is suspected if it shares the thread, gets one to itself, and is ended when it does it again; its neighbours live on", async () => {
    const runtime = oneThread({ threadHeapMaxMb: 48 });
    const neighbour = await startToy(runtime);
    const guest = await runtime.start(guestStart(CHAIN));
    // Nobody waits for the thread, so it is not taken for one that keeps it from others.
    await expect(guest.invoke("fill", [])).rejects.toMatchObject({
      message: expect.stringContaining("thread was ended"),
    });
    expect(await neighbour.invoke("count", [])).toEqual([1]);
    const again = guest.invoke("fill", []);
    for (const count of [2, 3, 4]) expect(await neighbour.invoke("count", [])).toEqual([count]);
    await expect(again).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "memoryMaxBytes" });
    expect(await neighbour.invoke("count", [])).toEqual([5]);
  });
});
