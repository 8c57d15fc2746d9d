import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPermissionUses, usesText } from "../../src/agent/permission-uses.ts";
import { createVirtualClock } from "./virtual-clock.ts";

function setUp(limits?: { permissionsMax: number; namesMaxCharacters: number }) {
  const clock = createVirtualClock();
  const told: string[] = [];
  const uses = createPermissionUses({ clock, onChanged: (id) => void told.push(id), ...(limits && { limits }) });
  const count = (permission: string, outcome: "used" | "denied" = "used", bucket = "", id = "a") =>
    uses.count(id, { permission, bucket, outcome, count: 1 });
  const counts = (id = "a") =>
    uses.of(id).map((use) => [use.permission, use.bucket, Number(use.usedCount), Number(use.deniedCount)]);
  return { clock, told, uses, count, counts };
}

describe("counts of permissions", () => {
  test("are kept by instance, permission and bucket, and forgotten with the instance", () => {
    const { uses, count, counts } = setUp();
    count("kv:write", "used", "b");
    count("kv:read", "used", "b");
    count("kv:read", "used", "b");
    count("kv:read", "denied", "c");
    count("http:request", "used", "", "other");
    expect(counts()).toEqual([
      ["kv:read", "b", 2, 0],
      ["kv:read", "c", 0, 1],
      ["kv:write", "b", 1, 0],
    ]);
    expect(counts("other")).toEqual([["http:request", "", 1, 0]]);
    uses.drop("a");
    expect(counts()).toEqual([]);
  });

  test("are told at the first use of a permission, then at most once in ten seconds", async () => {
    const { clock, told, count } = setUp();
    count("kv:read");
    expect(told).toEqual(["a"]);
    for (let index = 0; index < 1_000; index++) count("kv:read");
    await clock.advance(9_999);
    expect(told).toHaveLength(1);
    await clock.advance(1);
    expect(told).toHaveLength(2);
    // Nothing changed since, so nothing is told.
    await clock.advance(60_000);
    expect(told).toHaveLength(2);
    expect(clock.waiting).toBe(0);
  });

  test("of further first uses are told together a second after the last telling", async () => {
    const { clock, told, count } = setUp();
    count("kv:read");
    count("kv:write");
    count("env:HOME");
    expect(told).toHaveLength(1);
    await clock.advance(999);
    expect(told).toHaveLength(1);
    await clock.advance(1);
    expect(told).toHaveLength(2);
  });

  test("of refusals wait for the fact that a refusal is, which carries them", async () => {
    const { clock, told, uses, count } = setUp();
    count("kv:read", "denied");
    uses.noteReported("a");
    await clock.advance(60_000);
    expect(told).toEqual([]);
    // Without such a fact they are told all the same.
    count("kv:read", "denied");
    await clock.advance(10_000);
    expect(told).toEqual(["a"]);
  });

  test("of an instance that is forgotten are told no more", async () => {
    const { clock, told, uses, count } = setUp();
    count("kv:read");
    count("kv:read");
    uses.drop("a");
    await clock.advance(60_000);
    expect(told).toHaveLength(1);
  });

  test("count a guest's inventions by their beginning once there are many, and lose none", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("msg:publish:", "env:", "fs:read:", "nonsense"), fc.string(), fc.string()), {
          maxLength: 200,
        }),
        (asked) => {
          const { count, counts } = setUp({ permissionsMax: 5, namesMaxCharacters: 40 });
          for (const [kind, rest, bucket] of asked) count(`${kind}${rest}`, "denied", bucket);
          expect(counts().length).toBeLessThanOrEqual(5 + 4);
          expect(counts().reduce((sum, [, , , denied]) => sum + Number(denied), 0)).toBe(asked.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("read as a short sentence", () => {
    const { uses, count } = setUp();
    expect(usesText(uses.of("a"))).toBe("");
    count("kv:read", "used", "b");
    count("kv:write", "denied", "b");
    expect(usesText(uses.of("a"))).toBe("kv:read in b 1; refused: kv:write in b 1");
    for (let index = 0; index < 9; index++) count(`env:V${index}`);
    expect(usesText(uses.of("a"))).toContain("and 5 more");
  });
});
