/** Which records of ended instances are kept. Pure. */
import { toBinary } from "@bufbuild/protobuf";
import { InstanceSpecSchema, type InstanceSpec } from "../gen/wasmatrix/v1/instance_pb.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";

/** Bounds of what is kept of the past. */
export type EndedRecordsLimits = {
  readonly recordsMax: number;
  /** Length of their specs in bytes, all together: each may hold a megabyte of standard input. */
  readonly specsMaxBytes: number;
};

/** Enough past for people to look at, little enough for a small host. */
export const ENDED_RECORDS_LIMITS: EndedRecordsLimits = { recordsMax: 500, specsMaxBytes: 64 * 1024 * 1024 };

/** The ended records that no longer fit, oldest first. The youngest is always kept: someone waits for it. */
export function recordsToForget(
  records: Iterable<InstanceRecord>,
  limits: EndedRecordsLimits,
): readonly InstanceRecord[] {
  const youngestFirst = [...records].filter(hasEnded).toSorted((left, right) => endedMs(right) - endedMs(left));
  let bytes = 0;
  const kept = youngestFirst.findIndex((record, index) => {
    bytes += specBytes(record.spec);
    return index > 0 && (index >= limits.recordsMax || bytes > limits.specsMaxBytes);
  });
  return kept === -1 ? [] : youngestFirst.slice(kept).toReversed();
}

/** Specs never change, so each is measured once. */
const measured = new WeakMap<InstanceSpec, number>();

function specBytes(spec: InstanceSpec): number {
  const known = measured.get(spec);
  if (known !== undefined) return known;
  const bytes = toBinary(InstanceSpecSchema, spec).length;
  measured.set(spec, bytes);
  return bytes;
}

function endedMs(record: InstanceRecord): number {
  return record.lastEnding?.timeMs ?? record.createdMs;
}
