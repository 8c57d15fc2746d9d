import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { halfSipHash } from "../../../../src/providers/kv/shared/half-sip-hash.ts";

const hashOf = (bytes: Uint8Array, k0 = 0x03020100, k1 = 0x07060504): number =>
  halfSipHash(bytes, bytes.length, k0, k1);

describe("the keyed hash", () => {
  it("depends on every byte, on the length and on both halves of its key", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (bytes, pick) => {
        const changed = bytes.slice();
        const index = pick % bytes.length;
        changed[index] = (changed[index] ?? 0) ^ (1 << (pick % 8));
        const hash = hashOf(bytes);
        expect(hashOf(bytes.slice())).toBe(hash);
        // Equal by chance once in four thousand million.
        expect(hashOf(changed)).not.toBe(hash);
        expect(hashOf(new Uint8Array([...bytes, 0]))).not.toBe(hash);
        expect(hashOf(bytes, 1)).not.toBe(hash);
        expect(hashOf(bytes, undefined, 1)).not.toBe(hash);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it("ignores what lies after the length", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7);
    expect(halfSipHash(bytes, 5, 1, 2)).toBe(halfSipHash(bytes.subarray(0, 5), 5, 1, 2));
  });

  it("spreads keys that follow one another", () => {
    const places = new Set(
      Array.from({ length: 1024 }, (_, index) => hashOf(new TextEncoder().encode(`default\nkey-${index}`)) & 1023),
    );
    // 1024 balls in 1024 urns leave 1024 / e of them empty: 647 are met.
    expect(places.size).toBeGreaterThan(580);
  });
});
