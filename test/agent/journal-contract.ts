/** What every journal keeps to. */
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import type { Journal } from "../../src/agent/journal.ts";
import { Reason } from "../../src/fault.ts";
import { anyRecord, recordOf, specOf } from "./records.ts";

/** A place that outlives a journal's object. */
export type JournalPlace = { open(): Journal; dispose(): void };

export function describeJournal(name: string, createPlace: () => JournalPlace): void {
  describe(name, () => {
    const places: JournalPlace[] = [];
    const place = (): JournalPlace => {
      const created = createPlace();
      places.push(created);
      return created;
    };
    afterEach(() => {
      for (const created of places.splice(0)) created.dispose();
    });

    test("gives back what was put, after it was opened again", () => {
      const where = place();
      const first = where.open();
      const spec = specOf({ name: "web", env: { SECRET: "s3cret" }, stdin: new Uint8Array([1, 2, 3]) });
      const record = recordOf({ spec, state: "backoff", nextRestartMs: 99_000, retriesInRow: 4 });
      first.put(record, "order");
      first.close();
      const second = where.open();
      expect(second.problems).toEqual([]);
      expect(second.load()).toEqual([record]);
      second.close();
    });

    test("gives back every record as it was, ordered by id", () => {
      fc.assert(
        fc.property(
          fc.uniqueArray(anyRecord, { selector: (record) => record.id, maxLength: 5 }),
          fc.boolean(),
          (records, isOrder) => {
            const where = createPlace();
            try {
              const journal = where.open();
              for (const record of records) journal.put(record, isOrder ? "order" : "observation");
              journal.close();
              const again = where.open();
              expect(again.load()).toEqual(records.toSorted((left, right) => (left.id < right.id ? -1 : 1)));
              again.close();
            } finally {
              where.dispose();
            }
          },
        ),
        { numRuns: 100 },
      );
    });

    test("keeps the latest of several records of one instance, and forgets what is removed", () => {
      const where = place();
      const journal = where.open();
      const record = recordOf();
      const other: InstanceRecord = recordOf({ id: "b".repeat(20) });
      journal.put(record, "order");
      journal.put(other, "order");
      journal.put({ ...record, state: "stopping" }, "order");
      journal.remove(other.id);
      journal.remove("never-there");
      journal.close();
      expect(where.open().load()).toEqual([{ ...record, state: "stopping" }]);
    });

    test("takes a record again after it was removed", () => {
      const where = place();
      const journal = where.open();
      journal.put(recordOf(), "order");
      journal.remove(recordOf().id);
      const fresh = recordOf({ spec: specOf({ name: "fresh" }) });
      journal.put(fresh, "order");
      journal.close();
      expect(where.open().load()).toEqual([fresh]);
    });

    test("remembers the epoch counter and stopped providers", () => {
      const where = place();
      const journal = where.open();
      expect(journal.epochCounter()).toBe(0);
      expect(journal.stoppedProviders()).toEqual([]);
      journal.setEpochCounter(1_800_000_000_000);
      journal.setProviderStopped("kv", true);
      journal.setProviderStopped("kv", true);
      journal.setProviderStopped("other", true);
      journal.setProviderStopped("other", false);
      journal.close();
      const again = where.open();
      expect(again.epochCounter()).toBe(1_800_000_000_000);
      expect(again.stoppedProviders()).toEqual(["kv"]);
    });

    test("may be closed twice, and refuses writes from then on", () => {
      const journal = place().open();
      journal.close();
      journal.close();
      const closed = expect.objectContaining({ reason: Reason.SHUTTING_DOWN });
      expect(() => journal.put(recordOf(), "order")).toThrow(closed);
      expect(() => journal.remove("a")).toThrow(closed);
      expect(() => journal.setEpochCounter(1)).toThrow(closed);
      expect(() => journal.setProviderStopped("kv", true)).toThrow(closed);
    });
  });
}
