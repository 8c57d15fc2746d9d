/**
 * What a node did in an older life and has forgotten since: its agent came up with an older journal, as after a restored disk. Pure.
 * As far as facts of the older life are remembered here, nothing that was stopped or revoked then comes back.
 */
import { create } from "@bufbuild/protobuf";
import { FactKind, type Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import { AssignmentSchema, type Assignment, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { HeldFact } from "../fold/held-fact.ts";
import { createdMs, hasEnded } from "../instance-life.ts";

/** What has to be done at the node again. */
export type Owed =
  /** The instance had ended. */
  | { readonly kind: "stop"; readonly instanceId: string }
  /** These permissions had been taken away. */
  | { readonly kind: "revoke"; readonly instanceId: string; readonly assignment: Assignment }
  /** The copy of a start order said stopped. */
  | { readonly kind: "stop-copy"; readonly instanceId: string }
  /** The copy had been dropped. */
  | { readonly kind: "drop-copy"; readonly instanceId: string; readonly generation: bigint };

/** What the node holds now. */
export type Holding = {
  readonly instance: (id: string) => Instance | undefined;
  readonly witness: (id: string) => Witness | undefined;
};

/** What facts of lives before `epoch` say that is not so any more. `facts` ascend. */
export function owedByNewerLife(facts: Iterable<HeldFact>, epoch: string, holding: Holding): readonly Owed[] {
  const instances = new Map<string, Past>();
  const witnesses = new Map<string, HeldFact>();
  for (const fact of facts) {
    if (fact.epoch >= epoch) break;
    const instance = fact.instance?.whole();
    if (instance !== undefined) instances.set(instance.id, past(instances.get(instance.id), instance));
    if (fact.witness !== undefined) witnesses.set(fact.witness.instanceId, fact);
  }
  return [
    ...[...instances.values()].flatMap((each) => owedFor(each, holding.instance(each.last.id))),
    ...[...witnesses.values()].flatMap((fact) => owedForCopy(fact, holding)),
  ];
}

/** What is remembered of one instance: as it was last, and every permission that it was seen with. */
type Past = { readonly last: Instance; readonly seen: ReadonlyMap<string, ReadonlySet<string>> };

function past(before: Past | undefined, instance: Instance): Past {
  const isSame = before !== undefined && isSameLife(before.last, instance);
  const seen = new Map(isSame ? before.seen : []);
  for (const assignment of instance.assignments) {
    const place = placeOf(assignment);
    seen.set(place, new Set([...(seen.get(place) ?? []), ...assignment.permissions]));
  }
  return { last: instance, seen };
}

function owedFor({ last, seen }: Past, now: Instance | undefined): readonly Owed[] {
  // An id may be used anew once the record of its instance was forgotten: that is another instance.
  if (now === undefined || hasEnded(now) || !isSameLife(last, now)) return [];
  if (hasEnded(last)) return [{ kind: "stop", instanceId: now.id }];
  const left = new Map(last.assignments.map((each) => [placeOf(each), each.permissions]));
  return now.assignments.flatMap((each): readonly Owed[] => {
    const place = placeOf(each);
    // What was never seen then may have been assigned since.
    const permissions = each.permissions.filter(
      (permission) => left.get(place)?.includes(permission) !== true && seen.get(place)?.has(permission) === true,
    );
    if (permissions.length === 0) return [];
    const { providerId, type, bucket } = each;
    return [
      {
        kind: "revoke",
        instanceId: now.id,
        assignment: create(AssignmentSchema, { providerId, type, bucket, permissions }),
      },
    ];
  });
}

function owedForCopy({ kind, witness: last }: HeldFact, holding: Holding): readonly Owed[] {
  const now = last === undefined ? undefined : holding.witness(last.instanceId);
  if (last === undefined || now === undefined || now.stopped || now.generation > last.generation) return [];
  const { instanceId, generation } = last;
  if (kind === FactKind.WITNESS_DROPPED) return [{ kind: "drop-copy", instanceId, generation }];
  return last.stopped ? [{ kind: "stop-copy", instanceId }] : [];
}

/** Whether two reports of one id are of one record: the same placement, made at the same moment. */
function isSameLife(a: Instance, b: Instance): boolean {
  return a.generation === b.generation && createdMs(a) === createdMs(b);
}

function placeOf({ providerId, type, bucket }: Assignment): string {
  return `${type}/${providerId}/${bucket}`;
}
