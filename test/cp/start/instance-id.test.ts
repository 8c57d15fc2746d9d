import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instanceIdFromKey } from "../../../src/cp/start/instance-id.ts";

describe("an instance's id", () => {
  it("is always of the same form, the same for the same key and another for another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (a, b) => {
        const [idA, idB] = [await instanceIdFromKey(a), await instanceIdFromKey(b)];
        expect(idA).toMatch(/^[a-z0-9]{20}$/);
        expect(await instanceIdFromKey(a)).toBe(idA);
        expect(idA === idB).toBe(a === b);
      }),
      { numRuns: 1_000 },
    );
  });

  it("does not change between versions, or a retry after an update would start a second instance", async () => {
    expect(await instanceIdFromKey("order-42")).toBe("or5l324hbxgbnmunxvr1");
  });
});
