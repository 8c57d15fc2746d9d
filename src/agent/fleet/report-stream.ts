/** Reports to a control plane that dialled this agent: the same content as `reporter.ts` pushes, one after the other on a stream. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { sleep, type Clock, type Entropy } from "../../clock.ts";
import { ReportStatusRequestSchema, type ReportStatusRequest } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { Snapshot } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { Load, NodeInfo } from "../../gen/wasmatrix/v1/node_pb.ts";
import { planReport, type ReportContent, type ReportPosition } from "../report-plan.ts";
import type { ReportLog } from "../report-log.ts";

/** What a stream is made from. */
export type ReportStreamDeps = {
  readonly facts: ReportLog;
  readonly nodeInfo: () => NodeInfo;
  readonly load: () => Load;
  readonly takeSnapshot: () => readonly Snapshot[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Calls back at every new fact until the function returned is called. */
  readonly onFact: (wake: () => void) => () => void;
  /** Aborts when the agent goes down: the stream ends with a report that says so. */
  readonly leaving: AbortSignal;
};

/** Share of the interval by which heartbeats come early, so that agents do not beat in step. */
const JITTER_SHARE = 0.2;

/**
 * Reports from a position on. What was written counts as held: a stream loses nothing in its midst, and a reader that
 * misses something begins another. Ends with `signal`, or with the agent.
 */
export async function* reportStream(
  deps: ReportStreamDeps,
  from: ReportPosition,
  intervalMs: number,
  signal: AbortSignal,
): AsyncGenerator<ReportStatusRequest> {
  const { facts, clock, entropy } = deps;
  let position = from;
  let wake = (): void => {};
  const unlisten = deps.onFact(() => wake());
  try {
    while (!signal.aborted) {
      let content = planReport(position, facts);
      if (content.kind === "take-snapshot") {
        position = { kind: "paging", pages: deps.takeSnapshot(), next: 0 };
        content = planReport(position, facts);
      }
      position = positionAfterWriting(position, content, facts);
      const isLast = deps.leaving.aborted && position.kind === "holds" && position.sequence === facts.sequence;
      yield reportFrom(deps, content, isLast);
      if (isLast) return;
      if (deps.leaving.aborted || position.kind !== "holds" || position.sequence < facts.sequence) continue;
      const beat = new AbortController();
      wake = () => beat.abort();
      await sleep(
        clock,
        intervalMs * (1 - JITTER_SHARE * entropy.fraction()),
        AbortSignal.any([beat.signal, signal, deps.leaving]),
      );
    }
  } finally {
    unlisten();
  }
}

/** Where a reader stands that has read this content. Pure. */
export function positionAfterWriting(
  position: ReportPosition,
  content: ReportContent,
  facts: Pick<ReportLog, "sequence">,
): ReportPosition {
  switch (content.kind) {
    case "take-snapshot":
      return { kind: "behind" };
    case "facts":
      return { kind: "holds", sequence: content.after + content.facts.length };
    case "heartbeat":
      return position.kind === "holds" ? position : { kind: "holds", sequence: facts.sequence };
    case "page": {
      if (position.kind !== "paging") return position;
      if (position.next + 1 < position.pages.length) return { ...position, next: position.next + 1 };
      return { kind: "holds", sequence: Number(content.page.sequence) };
    }
  }
}

/** A report with this content, as it is sent now. */
export function reportFrom(
  deps: Pick<ReportStreamDeps, "facts" | "nodeInfo" | "load" | "clock">,
  content: ReportContent,
  leaving: boolean,
): ReportStatusRequest {
  const facts = content.kind === "facts" || content.kind === "page" ? content.facts : [];
  const first = facts[0]?.sequence;
  return create(ReportStatusRequestSchema, {
    info: deps.nodeInfo(),
    epoch: deps.facts.epoch,
    afterSequence: first === undefined ? BigInt(deps.facts.sequence) : first - 1n,
    facts: [...facts],
    ...(content.kind === "page" ? { snapshot: content.page } : {}),
    load: deps.load(),
    leaving,
    sendTime: timestampFromMs(deps.clock.nowMs()),
  });
}
