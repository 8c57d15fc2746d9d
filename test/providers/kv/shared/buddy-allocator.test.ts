import fc from "fast-check";
import { expect, it } from "vitest";
import {
  blockBytes,
  BLOCK_MIN_BYTES,
  createBuddyAllocator,
} from "../../../../src/providers/kv/shared/buddy-allocator.ts";

const TOTAL = 64 * 1024;

it("never gives two blocks the same place, and all of it again once all is given back", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.record({ take: fc.integer({ min: 1, max: TOTAL }) }), fc.record({ give: fc.nat() })), {
        maxLength: 100,
      }),
      (steps) => {
        const allocator = createBuddyAllocator(TOTAL);
        const taken: { readonly offset: number; readonly bytes: number }[] = [];
        for (const step of steps) {
          if ("give" in step) {
            const [block] = taken.length === 0 ? [] : taken.splice(step.give % taken.length, 1);
            if (block !== undefined) allocator.give(block.offset, block.bytes);
            continue;
          }
          const offset = allocator.take(step.take);
          if (offset === undefined) continue;
          const end = offset + blockBytes(step.take);
          expect(offset % BLOCK_MIN_BYTES).toBe(0);
          expect(end).toBeLessThanOrEqual(TOTAL);
          for (const other of taken) {
            expect(end <= other.offset || other.offset + blockBytes(other.bytes) <= offset).toBe(true);
          }
          taken.push({ offset, bytes: step.take });
        }
        for (const block of taken) allocator.give(block.offset, block.bytes);
        expect(allocator.take(TOTAL)).toBe(0);
        expect(allocator.take(1)).toBeUndefined();
      },
    ),
    { numRuns: 1000 },
  );
});

it("uses all of the memory before it has none", () => {
  const allocator = createBuddyAllocator(TOTAL);
  for (let count = 0; count < TOTAL / 1024; count += 1) expect(allocator.take(1024)).toBeDefined();
  expect(allocator.take(1)).toBeUndefined();
});
