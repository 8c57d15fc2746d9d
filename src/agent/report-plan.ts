/** What to send a control plane next, given what it said last. Pure. */
import { create, toBinary } from "@bufbuild/protobuf";
import { SnapshotSchema, type Fact, type Snapshot, type Witness } from "../gen/wasmatrix/v1/fact_pb.ts";
import { InstanceSchema, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { Provider } from "../gen/wasmatrix/v1/node_pb.ts";
import type { ReportStatusResponse } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import type { ReportLog } from "./report-log.ts";

/** What is known of a control plane's knowledge of this node. */
export type ReportPosition =
  /** Nothing, or too little: it needs a snapshot. */
  | { readonly kind: "behind" }
  /** It is being sent a snapshot; `next` is the index of the page that comes next. */
  | { readonly kind: "paging"; readonly pages: readonly Snapshot[]; readonly next: number }
  /** It holds everything up to `sequence`. */
  | { readonly kind: "holds"; readonly sequence: number };

/** What the next report carries. */
export type ReportContent =
  | { readonly kind: "facts"; readonly after: number; readonly facts: readonly Fact[] }
  /** A page of a snapshot; the first brings the recent past along, so that a cold control plane can tell what happened. */
  | { readonly kind: "page"; readonly page: Snapshot; readonly facts: readonly Fact[] }
  /** A snapshot is due: take one and go on with `paging`. */
  | { readonly kind: "take-snapshot" }
  /** Only that the node lives. */
  | { readonly kind: "heartbeat" };

/** Chooses the content of the next report. */
export function planReport(position: ReportPosition, log: Pick<ReportLog, "after" | "youngest">): ReportContent {
  switch (position.kind) {
    case "behind":
      return { kind: "take-snapshot" };
    case "paging": {
      const page = position.pages[position.next];
      if (page === undefined) return { kind: "take-snapshot" };
      return { kind: "page", page, facts: position.next === 0 ? log.youngest() : [] };
    }
    case "holds": {
      const facts = log.after(position.sequence);
      if (facts === undefined) return { kind: "take-snapshot" };
      return facts.length === 0 ? { kind: "heartbeat" } : { kind: "facts", after: position.sequence, facts };
    }
  }
}

/** What the response to a report sent from `position` tells; `log` is of the epoch that was reported. */
export function positionAfter(
  position: ReportPosition,
  response: ReportStatusResponse,
  log: Pick<ReportLog, "epoch" | "sequence">,
): ReportPosition {
  const { holds } = response;
  const acknowledged =
    holds.case === "acknowledged" && holds.value.epoch === log.epoch && holds.value.sequence <= BigInt(log.sequence)
      ? Number(holds.value.sequence)
      : undefined;
  if (position.kind === "paging") {
    const snapshotSequence = Number(position.pages[0]?.sequence ?? 0n);
    if (acknowledged !== undefined && acknowledged >= snapshotSequence)
      return { kind: "holds", sequence: acknowledged };
    // Until the last page has come, the control plane rightly says that it lacks some.
    if (position.next + 1 < position.pages.length) return { ...position, next: position.next + 1 };
    return { kind: "behind" };
  }
  // An acknowledgement of another epoch, or of facts that never were, is of another life: begin anew.
  return acknowledged === undefined ? { kind: "behind" } : { kind: "holds", sequence: acknowledged };
}

/** Whether a report should follow at once rather than at the next heartbeat. */
export function hasMore(position: ReportPosition, log: Pick<ReportLog, "sequence">): boolean {
  return position.kind !== "holds" || position.sequence < log.sequence;
}

/** Bounds of one page of a snapshot. */
export type PageLimits = {
  readonly pageMaxInstances: number;
  /** Length in bytes; the last instance may exceed it. */
  readonly pageMaxBytes: number;
};

/** Pages well below what an RPC takes. */
export const PAGE_LIMITS: PageLimits = { pageMaxInstances: 500, pageMaxBytes: 1024 * 1024 };

/** Cuts all that a node holds as of `sequence` into pages; there is always at least one. */
export function snapshotPages(
  whole: {
    readonly sequence: number;
    readonly instances: readonly Instance[];
    readonly providers: readonly Provider[];
    readonly witnesses?: readonly Witness[];
  },
  limits: PageLimits = PAGE_LIMITS,
): readonly Snapshot[] {
  const pages: Instance[][] = [[]];
  let bytes = 0;
  for (const instance of whole.instances) {
    const last = pages.at(-1);
    if (
      last === undefined ||
      last.length >= limits.pageMaxInstances ||
      (bytes >= limits.pageMaxBytes && last.length > 0)
    ) {
      pages.push([instance]);
      bytes = 0;
    } else {
      last.push(instance);
    }
    bytes += toBinary(InstanceSchema, instance).length;
  }
  const witnesses = whole.witnesses ?? [];
  const witnessPages = Math.ceil(witnesses.length / limits.pageMaxInstances);
  while (pages.length < witnessPages) pages.push([]);
  return pages.map((instances, page) =>
    create(SnapshotSchema, {
      sequence: BigInt(whole.sequence),
      page,
      pageCount: pages.length,
      instances,
      witnesses: witnesses.slice(page * limits.pageMaxInstances, (page + 1) * limits.pageMaxInstances),
      providers: page === 0 ? [...whole.providers] : [],
    }),
  );
}
