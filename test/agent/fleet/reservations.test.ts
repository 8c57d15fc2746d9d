import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryFleetDisk, openMemoryFleetJournal } from "../../../src/agent/fleet/memory-fleet-journal.ts";
import { createReservations, type Reservations } from "../../../src/agent/fleet/reservations.ts";
import { createManualClock, type ManualClock } from "../../cp/manual-clock.ts";

function create(options: { readonly reservationsMax?: number; readonly keepMs?: number } = {}): {
  reservations: Reservations;
  clock: ManualClock;
  reopened: () => Reservations;
} {
  const disk = createMemoryFleetDisk();
  const clock = createManualClock();
  const open = (): Reservations => createReservations({ journal: openMemoryFleetJournal(disk), clock, ...options });
  return { reservations: open(), clock, reopened: open };
}

function asked(
  instanceId: string,
  nodeId: string,
  refusedByNodeId: string = "",
): Parameters<Reservations["reserve"]>[0] {
  return { instanceId, nodeId, refusedByNodeId };
}

describe("where a key goes", () => {
  test("is decided by who asks first, also after a restart", () => {
    const { reservations, reopened } = create();
    expect(reservations.reserve(asked("i", "n1"))).toBe("n1");
    expect(reservations.reserve(asked("i", "n2"))).toBe("n1");
    expect(reopened().reserve(asked("i", "n3"))).toBe("n1");
    expect(reopened().placedOn("i")).toBe("n1");
    expect(reopened().placedOn("j")).toBeUndefined();
  });

  test("moves on only from the node that has refused it", () => {
    const { reservations } = create();
    reservations.reserve(asked("i", "n1"));
    expect(reservations.reserve(asked("i", "n3", "n2"))).toBe("n1");
    expect(reservations.reserve(asked("i", "n3", "n1"))).toBe("n3");
    expect(reservations.reserve(asked("i", "n2", "n1")), "somebody was faster").toBe("n3");
  });

  test("is forgotten after its time, and the oldest are when there are too many", () => {
    const { reservations, clock } = create({ keepMs: 1_000 });
    reservations.reserve(asked("i", "n1"));
    clock.advance(999);
    expect(reservations.placedOn("i")).toBe("n1");
    clock.advance(1);
    expect(reservations.placedOn("i")).toBeUndefined();
    expect(reservations.reserve(asked("i", "n2"))).toBe("n2");
    const few = create({ reservationsMax: 2_000 }).reservations;
    for (let index = 0; index <= 2_000; index++) few.reserve(asked(`k${index}`, "n1"));
    expect(few.placedOn("k0")).toBeUndefined();
    expect(few.placedOn("k1000")).toBe("n1");
    expect(few.placedOn("k2000")).toBe("n1");
  });

  test("never names two nodes at once, whoever asks in whatever order", () => {
    const order = fc.record({
      nodeId: fc.constantFrom("a", "b", "c"),
      refused: fc.constantFrom("", "a", "b", "c"),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(order, { maxLength: 15 }), (orders) => {
        const { reservations: first, reopened } = create();
        let reservations = first;
        let current: string | undefined;
        for (const { nodeId, refused, restart } of orders) {
          if (restart) reservations = reopened();
          const told = reservations.reserve(asked("i", nodeId, refused));
          expect(told).toBe(current === undefined || current === refused ? nodeId : current);
          current = told;
          expect(reservations.placedOn("i")).toBe(current);
        }
      }),
      { numRuns: 500 },
    );
  });
});
