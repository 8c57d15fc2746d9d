import { describe, expect, test } from "vitest";
import { createBatchSeats } from "../../../src/cp/start/batch-placement.ts";
import type { PlacementItem } from "../../../src/cp/start/place-many.ts";
import { createTurns } from "../../../src/cp/start/turns.ts";
import { createVirtualClock, settle } from "../../agent/virtual-clock.ts";
import { requestOf } from "../placement-fixtures.ts";

function batch(size: number): {
  readonly seats: ReturnType<typeof createBatchSeats>;
  readonly passes: number[];
  readonly clock: ReturnType<typeof createVirtualClock>;
} {
  const clock = createVirtualClock();
  const passes: number[] = [];
  const plan = (items: readonly PlacementItem[]): readonly string[] => {
    passes.push(items.length);
    return items.map(({ name }) => `node-of-${name}`);
  };
  return { seats: createBatchSeats({ clock, plan }, size), passes, clock };
}

function item(name: string): PlacementItem {
  return { request: requestOf(), name, shape: "" };
}

describe("the seats of a batch", () => {
  test("are placed in one pass when all have asked or left, each with its own node", async () => {
    const { seats, passes } = batch(3);
    const placed = seats.slice(0, 2).map((seat, index) => seat.place(item(index === 0 ? "a" : "b")));
    await settle();
    expect(passes).toEqual([]);
    seats[2]?.leave();
    expect(await Promise.all(placed)).toEqual(["node-of-a", "node-of-b"]);
    expect(passes).toEqual([2]);
  });

  test("do not wait long for one whose module is on its way: it gets a pass of its own", async () => {
    const { seats, passes, clock } = batch(2);
    const first = seats[0]?.place(item("a"));
    await clock.advance(100);
    expect(await first).toBe("node-of-a");
    expect(await seats[1]?.place(item("b"))).toBe("node-of-b");
    expect(passes).toEqual([1, 1]);
  });

  test("may be left twice, and after placing", async () => {
    const { seats, passes } = batch(2);
    seats[0]?.leave();
    seats[0]?.leave();
    expect(passes).toEqual([]);
    expect(await seats[1]?.place(item("b"))).toBe("node-of-b");
    seats[1]?.leave();
    expect(passes).toEqual([1]);
  });
});

test("turns are taken in order, so many at once, and ended once", async () => {
  const turns = createTurns(2);
  const order: string[] = [];
  const ends = [await turns.take(), await turns.take()];
  const later = ["c", "d"].map(async (name) => {
    const end = await turns.take();
    order.push(name);
    return end;
  });
  await settle();
  expect(order).toEqual([]);
  ends[0]?.();
  ends[0]?.();
  await settle();
  expect(order).toEqual(["c"]);
  ends[1]?.();
  await settle();
  expect(order).toEqual(["c", "d"]);
  for (const end of await Promise.all(later)) end();
  await turns.take();
});
