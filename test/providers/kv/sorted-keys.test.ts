import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareByUtf8, createSortedKeys } from "../../../src/providers/kv/sorted-keys.ts";

describe("sorted keys", () => {
  it("compare as their UTF-8 bytes do", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 5 }),
        fc.string({ unit: "binary", maxLength: 5 }),
        (left, right) => {
          expect(Math.sign(compareByUtf8(left, right))).toBe(Buffer.compare(Buffer.from(left), Buffer.from(right)));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("sort a surrogate pair after U+FFFF, unlike JavaScript's own order", () => {
    const [pair, last] = ["\u{10000}", "\uffff"];
    expect(compareByUtf8(pair, last)).toBeGreaterThan(0);
    expect(pair > last).toBe(false);
  });

  it("hold what a plain sorted set holds, from any place on", () => {
    const number = fc.integer({ min: 0, max: 4000 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ isAdded: fc.boolean(), from: number, count: fc.integer({ min: 1, max: 900 }) }), {
          maxLength: 12,
        }),
        number,
        (steps, place) => {
          const keys = createSortedKeys();
          const model = new Set<string>();
          for (const { isAdded, from, count } of steps) {
            // A stride that is coprime to the range visits keys out of order.
            for (let index = 0; index < count; index += 1) {
              const key = `k${(from + index * 1777) % 4001}`;
              if (isAdded === model.has(key)) continue;
              if (isAdded) keys.add(key);
              else keys.remove(key);
              if (isAdded) model.add(key);
              else model.delete(key);
            }
          }
          const sorted = [...model].toSorted();
          const after = `k${place}`;
          expect(keys.after(undefined, 10_000)).toEqual(sorted);
          expect(keys.after(after, 10)).toEqual(sorted.filter((key) => key > after).slice(0, 10));
        },
      ),
      { numRuns: 100 },
    );
  });
});
