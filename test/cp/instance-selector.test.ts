import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selectInstance } from "../../src/cp/instance-selector.ts";
import { heldInstanceFromMessage, type HeldInstance } from "../../src/cp/fold/held-instance.ts";
import { hasEnded } from "../../src/cp/instance-life.ts";
import { isFault, Reason } from "../../src/fault.ts";
import { InstanceState } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { idOf, instanceOf } from "./node-history.ts";

const heldOf = (fields: Parameters<typeof instanceOf>[0]): HeldInstance => heldInstanceFromMessage(instanceOf(fields));

const select = (instances: readonly HeldInstance[], selector: string): HeldInstance =>
  selectInstance(instances, selector, "Cannot stop instance");

function reasonOf(action: () => unknown): Reason | undefined {
  try {
    action();
  } catch (error) {
    if (isFault(error)) return error.reason;
    throw error;
  }
  return undefined;
}

const id = fc.string({ unit: fc.constantFrom("a", "b", "1"), minLength: 20, maxLength: 20 });
const instances = fc
  .uniqueArray(
    fc.tuple(
      id,
      fc.constantFrom("", "web", "a", "ab1"),
      fc.constantFrom(InstanceState.RUNNING, InstanceState.STOPPED),
      fc.integer({ min: 0, max: 5 }),
    ),
    { selector: ([each]) => each, maxLength: 12 },
  )
  .map((all) => all.map(([each, name, state, createdMs]) => heldOf({ id: each, name, state, createdMs })));

describe("selecting an instance", () => {
  it("finds every instance by its whole id", () => {
    fc.assert(
      fc.property(instances, (all) => {
        for (const instance of all) expect(select(all, instance.id)).toBe(instance);
      }),
      { numRuns: 1_000 },
    );
  });

  it("answers a prefix exactly if no name equals it and one id begins with it; else it says which of the two is wrong", () => {
    fc.assert(
      fc.property(
        instances,
        fc.string({ unit: fc.constantFrom("a", "b", "1"), minLength: 1, maxLength: 19 }),
        (all, prefix) => {
          fc.pre(all.every(({ name }) => name !== prefix));
          const fitting = all.filter((instance) => instance.id.startsWith(prefix));
          if (fitting.length === 1) expect(select(all, prefix)).toBe(fitting[0]);
          else
            expect(reasonOf(() => select(all, prefix))).toBe(
              fitting.length === 0 ? Reason.INSTANCE_NOT_FOUND : Reason.INSTANCE_AMBIGUOUS,
            );
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("answers a name with its one live instance, or the newest ended one if none is live, and refuses several live ones", () => {
    fc.assert(
      fc.property(instances, (all) => {
        const named = all.filter(({ name }) => name === "web");
        fc.pre(named.length > 0);
        const live = named.filter((instance) => !hasEnded(instance));
        if (live.length > 1) {
          expect(reasonOf(() => select(all, "web"))).toBe(Reason.INSTANCE_AMBIGUOUS);
          return;
        }
        const chosen = select(all, "web");
        if (live.length === 1) {
          expect(chosen).toBe(live[0]);
          return;
        }
        const newest = Math.max(...named.map((instance) => instance.createdMs));
        expect(chosen.createdMs).toBe(newest);
      }),
      { numRuns: 1_000 },
    );
  });

  it("prefers a whole id to a name, and a name to a prefix", () => {
    const byId = heldOf({ id: idOf(1), name: "x" });
    const named = heldOf({ id: idOf(2), name: idOf(1) });
    expect(select([named, byId], idOf(1))).toBe(byId);
    const prefixName = heldOf({ id: idOf(3), name: "i1" });
    expect(select([byId, prefixName], "i1")).toBe(prefixName);
  });

  it("names at most five of the instances that fit", () => {
    const many = Array.from({ length: 8 }, (_, index) => heldOf({ id: idOf(index), name: "web" }));
    expect(() => select(many, "web")).toThrow(
      /^Cannot stop instance "web": 8 live instances have this name: (\w+, ){4}\w+ and 3 more$/,
    );
    expect(() => select(many.slice(0, 2), "i")).toThrow(
      /2 instances have an id that begins so: i0+ \(web\), i10+ \(web\)$/,
    );
  });

  it("says what it looked for when there is nothing", () => {
    expect(() => select([], "web")).toThrow(
      'Cannot stop instance "web": no instance has this id, prefix of an id, or name',
    );
  });
});
