import { describe, expect, test } from "vitest";
import { systemEntropy } from "../src/clock.ts";

describe("the platform's randomness", () => {
  test("is hex of the length that was asked for, however much is drawn at a time", () => {
    for (const bytes of [0, 1, 8, 1_023, 5_000])
      expect(systemEntropy.hex(bytes)).toMatch(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
  });

  test("does not repeat itself, and uses every value of a byte", () => {
    const ids = Array.from({ length: 2_000 }, () => systemEntropy.hex(8));
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(ids.join("").match(/../g)).size).toBe(256);
  });
});
