import { create } from "@bufbuild/protobuf";
import { expect, describe, test } from "vitest";
import { FactKind, FactSchema, WitnessSchema, type Witness } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import {
  AssignmentSchema,
  CapabilityType,
  InstanceState,
  type Assignment,
  type Instance,
} from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { heldFactFromMessage, type HeldFact } from "../../../src/cp/fold/held-fact.ts";
import { owedByNewerLife, type Holding, type Owed } from "../../../src/cp/stale/older-life.ts";
import { idOf, instanceOf } from "../node-history.ts";

const ID = idOf(1);
const { RUNNING, STOPPED, EXITED } = InstanceState;

function kv(...permissions: string[]): Assignment {
  return create(AssignmentSchema, { providerId: "kv", type: CapabilityType.KV, permissions });
}

function instance(fields: Parameters<typeof instanceOf>[0] & { assignments?: Assignment[] }): Instance {
  const { assignments = [], ...rest } = fields;
  return { ...instanceOf(rest), assignments };
}

/** Facts of the life "e1", in order, about these. */
function factsOf(
  ...about: readonly (Instance | { readonly kind: FactKind; readonly witness: Witness })[]
): readonly HeldFact[] {
  return about.map((each, index) =>
    heldFactFromMessage(
      create(FactSchema, {
        nodeId: "n1",
        epoch: "e1",
        sequence: BigInt(index + 1),
        ...("witness" in each ? each : { kind: FactKind.INSTANCE_RUNNING, instance: each }),
      }),
    ),
  );
}

function owed(
  facts: readonly HeldFact[],
  now: { readonly instance?: Instance; readonly witness?: Witness },
): readonly Owed[] {
  const holding: Holding = { instance: () => now.instance, witness: () => now.witness };
  return owedByNewerLife(facts, "e2", holding);
}

function copy(generation: bigint, stopped = false): Witness {
  return create(WitnessSchema, { instanceId: ID, generation, nodeId: "n2", witnessNodeId: "n1", stopped });
}

describe("a newer life of a node owes", () => {
  test("the end of an instance that an older one saw ended", () => {
    for (const state of [STOPPED, EXITED]) {
      const facts = factsOf(instance({ id: ID }), instance({ id: ID, state }));
      expect(owed(facts, { instance: instance({ id: ID }) })).toEqual([{ kind: "stop", instanceId: ID }]);
    }
  });

  test("nothing for one that has ended still, is not held, or lives by right", () => {
    const stopped = factsOf(instance({ id: ID }), instance({ id: ID, state: STOPPED }));
    expect(owed(stopped, { instance: instance({ id: ID, state: STOPPED }) })).toEqual([]);
    expect(owed(stopped, {})).toEqual([]);
    expect(owed(factsOf(instance({ id: ID })), { instance: instance({ id: ID }) })).toEqual([]);
  });

  test("nothing for a later generation, or for another instance of the same id", () => {
    const stopped = factsOf(instance({ id: ID, state: STOPPED, createdMs: 1_000 }));
    expect(owed(stopped, { instance: instance({ id: ID, state: RUNNING, generation: 2n }) })).toEqual([]);
    expect(owed(stopped, { instance: instance({ id: ID, state: RUNNING, createdMs: 9_000 }) })).toEqual([]);
  });

  test("exactly the permissions that were seen and then taken away", () => {
    const facts = factsOf(
      instance({ id: ID, assignments: [kv("kv:read", "kv:write")] }),
      instance({ id: ID, assignments: [kv("kv:read")] }),
    );
    const now = instance({ id: ID, assignments: [kv("kv:read", "kv:write", "kv:delete")] });
    expect(owed(facts, { instance: now })).toMatchObject([
      { kind: "revoke", instanceId: ID, assignment: { providerId: "kv", permissions: ["kv:write"] } },
    ]);
    const given = factsOf(
      instance({ id: ID, assignments: [kv("kv:read", "kv:write")] }),
      instance({ id: ID, assignments: [] }),
      instance({ id: ID, assignments: [kv("kv:write")] }),
    );
    expect(owed(given, { instance: instance({ id: ID, assignments: [kv("kv:write")] }) }), "granted again").toEqual([]);
  });

  test("a whole assignment that was taken away", () => {
    const facts = factsOf(instance({ id: ID, assignments: [kv("kv:read")] }), instance({ id: ID }));
    expect(owed(facts, { instance: instance({ id: ID, assignments: [kv("kv:read")] }) })).toMatchObject([
      { kind: "revoke", assignment: { permissions: ["kv:read"] } },
    ]);
  });

  test("the stop and the end of copies of start orders", () => {
    const { WITNESS_KEPT, WITNESS_DROPPED } = FactKind;
    const stopped = factsOf({ kind: WITNESS_KEPT, witness: copy(1n) }, { kind: WITNESS_KEPT, witness: copy(1n, true) });
    expect(owed(stopped, { witness: copy(1n) })).toEqual([{ kind: "stop-copy", instanceId: ID }]);
    expect(owed(stopped, { witness: copy(1n, true) })).toEqual([]);
    expect(owed(stopped, { witness: copy(2n) }), "kept anew").toEqual([]);
    const dropped = factsOf({ kind: WITNESS_KEPT, witness: copy(1n) }, { kind: WITNESS_DROPPED, witness: copy(1n) });
    expect(owed(dropped, { witness: copy(1n) })).toEqual([{ kind: "drop-copy", instanceId: ID, generation: 1n }]);
  });

  test("nothing by facts of its own life", () => {
    const own = heldFactFromMessage(
      create(FactSchema, {
        nodeId: "n1",
        epoch: "e2",
        sequence: 1n,
        kind: FactKind.INSTANCE_STOPPED,
        instance: instance({ id: ID, state: STOPPED }),
      }),
    );
    expect(owed([own], { instance: instance({ id: ID }) })).toEqual([]);
  });
});
