import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HOMES, homesOf, verdictOfHomes } from "../../../src/cp/start/placement-homes.ts";
import { idOf } from "../node-history.ts";

const nodeIds = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/), { minLength: 1, maxLength: 30 });
const instanceId = fc.stringMatching(/^[a-z0-9]{20}$/);

describe("the homes of an instance", () => {
  test("are the same whoever looks for them, in whatever order he knows the nodes", () => {
    fc.assert(
      fc.property(instanceId, nodeIds, (id, nodes) => {
        const homes = homesOf(id, nodes);
        expect(homesOf(id, nodes.toReversed())).toEqual(homes);
        expect(homes).toHaveLength(nodes.length < HOMES ? 1 : HOMES);
        expect(new Set(homes).size).toBe(homes.length);
        for (const home of homes) expect(nodes).toContain(home);
      }),
      { numRuns: 1_000 },
    );
  });

  test("change by one at most when one node comes or goes, so that two majorities have a node in common", () => {
    fc.assert(
      fc.property(
        instanceId,
        fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/), { minLength: HOMES + 1, maxLength: 30 }),
        (id, nodes) => {
          const before = new Set(homesOf(id, nodes));
          const after = homesOf(id, nodes.slice(1));
          expect(after.filter((home) => !before.has(home)).length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("are spread evenly over nodes of similar names", () => {
    const nodes = Array.from({ length: 10 }, (_, index) => `rack-${index + 1}`);
    const counts = new Map<string, number>();
    const instances = 3_000;
    for (let index = 0; index < instances; index++)
      for (const home of homesOf(idOf(index), nodes)) counts.set(home, (counts.get(home) ?? 0) + 1);
    const fair = (instances * HOMES) / nodes.length;
    for (const node of nodes) expect(Math.abs((counts.get(node) ?? 0) - fair) / fair).toBeLessThan(0.2);
  });
});

describe("what homes answer", () => {
  test.each([
    [["a", "a", "b"], { kind: "decided", nodeId: "a" }],
    [["b", undefined, "b"], { kind: "decided", nodeId: "b" }],
    [["a", "b", "c"], { kind: "split", nodeId: "a" }],
    [["a", undefined, undefined], { kind: "unsure" }],
    [["a", "b", undefined], { kind: "unsure" }],
    [[undefined], { kind: "unsure" }],
    [["a"], { kind: "decided", nodeId: "a" }],
  ] as const)("%j comes to %j", (answers, verdict) => {
    expect(verdictOfHomes(answers)).toEqual(verdict);
  });

  test("never comes to two decisions, whichever of them one hears", () => {
    const answer = fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined });
    fc.assert(
      fc.property(
        fc.tuple(answer, answer, answer),
        fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
        (said, heard) => {
          const whole = verdictOfHomes(said);
          const part = verdictOfHomes(said.map((each, index) => (heard[index] === true ? each : undefined)));
          if (part.kind === "decided") expect(whole).toEqual(part);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
