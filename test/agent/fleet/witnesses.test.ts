import { describe, expect, test } from "vitest";
import { createMemoryFleetDisk, openMemoryFleetJournal } from "../../../src/agent/fleet/memory-fleet-journal.ts";
import { createWitnesses, type Witnesses } from "../../../src/agent/fleet/witnesses.ts";
import { Reason } from "../../../src/fault.ts";
import { FactKind } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { copyOf } from "./fleet-journal-contract.ts";

const A = "a".repeat(20);
const B = "b".repeat(20);
const C = "c".repeat(20);

function create(options: { readonly copiesMax?: number } = {}): {
  witnesses: Witnesses;
  facts: string[];
  reopened: () => Witnesses;
} {
  const disk = createMemoryFleetDisk();
  const facts: string[] = [];
  const open = (): Witnesses =>
    createWitnesses({
      nodeId: "w",
      journal: openMemoryFleetJournal(disk),
      onFact: (kind, { instanceId, generation, stopped }) =>
        void facts.push(
          `${kind === FactKind.WITNESS_KEPT ? "kept" : "dropped"} ${instanceId[0] ?? ""}${String(generation)}${stopped ? " stopped" : ""}`,
        ),
      ...options,
    });
  return { witnesses: open(), facts, reopened: open };
}

describe("copies that a node keeps", () => {
  test("are there again after a restart, and every change is a fact", () => {
    const { witnesses, facts, reopened } = create();
    witnesses.keep(copyOf(A), "");
    witnesses.keep(copyOf(B), "");
    witnesses.claim({ instanceId: A, expectedGeneration: 1n, nodeId: "n2" }, "");
    witnesses.drop({ instanceId: B, generation: 1n, instanceEnded: false }, "");
    expect(facts).toEqual(["kept a1", "kept b1", "kept a2", "dropped b1"]);
    expect(reopened().list()).toMatchObject([
      { instanceId: A, generation: 2n, nodeId: "n2", witnessNodeId: "w", name: "web" },
    ]);
    expect(reopened().read(A)).toEqual(witnesses.read(A));
    expect(() => reopened().read(B)).toThrow(expect.objectContaining({ reason: Reason.INSTANCE_NOT_FOUND }));
  });

  test("need their module until they say stopped", () => {
    const { witnesses } = create();
    const digest = copyOf(A).spec?.moduleDigest ?? "";
    expect(witnesses.needsModule(digest)).toBe(false);
    witnesses.keep(copyOf(A), "");
    expect(witnesses.needsModule(digest)).toBe(true);
    witnesses.keep(copyOf(A, { stopped: true }), "");
    expect(witnesses.needsModule(digest)).toBe(false);
  });

  test("say up to which generation an instance was stopped", () => {
    const { witnesses } = create();
    expect(witnesses.stoppedUpTo(A)).toBeUndefined();
    witnesses.keep(copyOf(A), "");
    expect(witnesses.stoppedUpTo(A)).toBeUndefined();
    witnesses.keep(copyOf(A, { generation: 2n, stopped: true }), "");
    expect(witnesses.stoppedUpTo(A)).toBe(2n);
  });

  test("are not dropped by an order about an older generation; dropping twice does no harm", () => {
    const { witnesses, facts } = create();
    witnesses.keep(copyOf(A, { generation: 2n }), "");
    witnesses.drop({ instanceId: A, generation: 1n, instanceEnded: true }, "");
    expect(witnesses.list()).toHaveLength(1);
    witnesses.drop({ instanceId: A, generation: 2n, instanceEnded: false }, "");
    witnesses.drop({ instanceId: A, generation: 2n, instanceEnded: false }, "");
    expect(facts).toEqual(["kept a2", "dropped a2"]);
  });

  test("of an ended instance go, but stay as stopped ones if it was ever placed anew", () => {
    const { witnesses } = create();
    witnesses.keep(copyOf(A), "");
    witnesses.keep(copyOf(B, { generation: 2n }), "");
    for (const instanceId of [A, B]) witnesses.drop({ instanceId, generation: 2n, instanceEnded: true }, "");
    expect(witnesses.list()).toMatchObject([{ instanceId: B, stopped: true }]);
  });

  test("are bounded: stopped ones make room, live ones do not", () => {
    const { witnesses } = create({ copiesMax: 2 });
    witnesses.keep(copyOf(A, { stopped: true }), "");
    witnesses.keep(copyOf(B), "");
    witnesses.keep(copyOf(C), "");
    expect(witnesses.list().map(({ instanceId }) => instanceId)).toEqual([B, C]);
    expect(() => witnesses.keep(copyOf(A), "")).toThrow(expect.objectContaining({ reason: Reason.NODE_AT_CAPACITY }));
    // What is held may change still.
    expect(witnesses.keep(copyOf(C, { generation: 2n }), "")).toMatchObject({ generation: 2n });
  });
});
