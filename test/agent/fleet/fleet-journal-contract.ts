/** What every fleet journal keeps to. */
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test } from "vitest";
import type { FleetJournal } from "../../../src/agent/fleet/fleet-journal.ts";
import { Reason } from "../../../src/fault.ts";
import { WitnessCopySchema, type WitnessCopy } from "../../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import { specOf } from "../records.ts";

/** A place that outlives a journal's object. */
export type FleetJournalPlace = { open(): FleetJournal; dispose(): void };

/** A copy of generation 1 on node "n1". */
export function copyOf(
  instanceId: string,
  fields: Partial<Pick<WitnessCopy, "generation" | "nodeId" | "stopped" | "claimFloor">> = {},
): WitnessCopy {
  const spec = specOf({ name: "web", env: { SECRET: "s3cret" } });
  return create(WitnessCopySchema, { instanceId, generation: 1n, nodeId: "n1", spec, ...fields });
}

export function describeFleetJournal(name: string, createPlace: () => FleetJournalPlace): void {
  describe(name, () => {
    const places: FleetJournalPlace[] = [];
    const place = (): FleetJournalPlace => {
      const created = createPlace();
      places.push(created);
      return created;
    };
    afterEach(() => {
      for (const created of places.splice(0)) created.dispose();
    });

    test("is empty and not cordoned at first", () => {
      const journal = place().open();
      expect([journal.witnesses(), journal.reservations(), journal.isCordoned()]).toEqual([[], [], false]);
      journal.close();
    });

    test("gives copies back as they were last put, by id, after it was opened again", () => {
      const where = place();
      const first = where.open();
      first.putWitness(copyOf("b".repeat(20)));
      first.putWitness(copyOf("a".repeat(20)));
      first.putWitness(
        copyOf("b".repeat(20), { generation: 2n ** 60n, nodeId: "n2", stopped: true, claimFloor: 1001n }),
      );
      first.putWitness(copyOf("c".repeat(20)));
      first.removeWitness("c".repeat(20));
      first.removeWitness("d".repeat(20));
      first.close();
      const second = where.open();
      expect(second.witnesses()).toEqual([
        copyOf("a".repeat(20)),
        copyOf("b".repeat(20), { generation: 2n ** 60n, nodeId: "n2", stopped: true, claimFloor: 1001n }),
      ]);
      second.close();
    });

    test("gives reservations back, the oldest first", () => {
      const where = place();
      const first = where.open();
      first.putReservation({ instanceId: "x", nodeId: "n1", timeMs: 30 });
      first.putReservation({ instanceId: "y", nodeId: "n2", timeMs: 20 });
      first.putReservation({ instanceId: "z", nodeId: "n3", timeMs: 10 });
      first.putReservation({ instanceId: "z", nodeId: "n4", timeMs: 40 });
      first.removeReservations(["y", "unknown"]);
      first.close();
      const second = where.open();
      expect(second.reservations()).toEqual([
        { instanceId: "x", nodeId: "n1", timeMs: 30 },
        { instanceId: "z", nodeId: "n4", timeMs: 40 },
      ]);
      second.close();
    });

    test("remembers whether the node is cordoned", () => {
      const where = place();
      for (const cordoned of [true, false, true]) {
        const journal = where.open();
        journal.setCordoned(cordoned);
        journal.close();
        const again = where.open();
        expect(again.isCordoned()).toBe(cordoned);
        again.close();
      }
    });

    test("refuses to write once it is closed, which may be twice", () => {
      const journal = place().open();
      journal.close();
      journal.close();
      for (const write of [
        () => journal.putWitness(copyOf("a".repeat(20))),
        () => journal.removeWitness("a".repeat(20)),
        () => journal.putReservation({ instanceId: "x", nodeId: "n", timeMs: 1 }),
        () => journal.removeReservations(["x"]),
        () => journal.setCordoned(true),
      ])
        expect(write).toThrow(expect.objectContaining({ reason: Reason.SHUTTING_DOWN }));
    });
  });
}
