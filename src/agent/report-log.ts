/** The facts of one life of an agent, numbered, and the youngest of them kept for control planes that have not seen them. No clock, no I/O. */
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { FactSchema, type Fact, type FactKind, type Witness } from "../gen/wasmatrix/v1/fact_pb.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { Provider } from "../gen/wasmatrix/v1/node_pb.ts";

/** What happened, before it has a number. */
export type FactDraft = {
  readonly kind: FactKind;
  readonly timeMs: number;
  readonly message: string;
  readonly requestId?: string;
  readonly instance?: Instance;
  readonly provider?: Provider;
  readonly witness?: Witness;
};

/** Bounds of what is kept. A control plane that is further behind is sent a snapshot. */
export type ReportLogLimits = {
  /** Facts kept. */
  readonly factsMax: number;
  /** Their length in bytes, all together. */
  readonly factsMaxBytes: number;
  /** Facts in one report. */
  readonly reportMaxFacts: number;
  /** Their length in bytes; the last fact may exceed it. */
  readonly reportMaxBytes: number;
};

/** Limits that keep an agent's share of memory small and each report well below what an RPC takes. */
export const REPORT_LOG_LIMITS: ReportLogLimits = {
  factsMax: 10_000,
  factsMaxBytes: 16 * 1024 * 1024,
  reportMaxFacts: 500,
  reportMaxBytes: 1024 * 1024,
};

/** See the top of the file. */
export interface ReportLog {
  readonly epoch: string;
  /** The number of the youngest fact, 0 before the first. */
  readonly sequence: number;
  /** Numbers a fact and keeps it; the oldest make room. */
  append(draft: FactDraft): Fact;
  /** The next facts after `sequence`, in order and without gaps; `undefined` if some are no longer kept, or never were. */
  after(sequence: number): readonly Fact[] | undefined;
  /** The youngest facts that fit into one report, in order and without gaps. */
  youngest(): readonly Fact[];
}

/** An empty log of a new life. */
export function createReportLog(
  life: { readonly nodeId: string; readonly epoch: string },
  limits: ReportLogLimits = REPORT_LOG_LIMITS,
): ReportLog {
  /** `kept[head]` is the oldest; what lies before it is cut off now and then, so that append costs no copy. */
  let kept: { readonly fact: Fact; readonly bytes: number }[] = [];
  let head = 0;
  let keptBytes = 0;
  let sequence = 0;

  const makeRoom = (): void => {
    while (kept.length - head > limits.factsMax || (keptBytes > limits.factsMaxBytes && kept.length - head > 1)) {
      keptBytes -= kept[head]?.bytes ?? 0;
      head += 1;
    }
    if (head > limits.factsMax) {
      kept = kept.slice(head);
      head = 0;
    }
  };

  const isFull = (facts: number, bytes: number): boolean =>
    facts >= limits.reportMaxFacts || bytes >= limits.reportMaxBytes;

  return {
    epoch: life.epoch,
    get sequence() {
      return sequence;
    },
    append(draft) {
      sequence += 1;
      const fact = create(FactSchema, {
        nodeId: life.nodeId,
        epoch: life.epoch,
        sequence: BigInt(sequence),
        time: timestampFromMs(draft.timeMs),
        kind: draft.kind,
        message: draft.message,
        requestId: draft.requestId ?? "",
        ...(draft.instance === undefined ? {} : { instance: draft.instance }),
        ...(draft.provider === undefined ? {} : { provider: draft.provider }),
        ...(draft.witness === undefined ? {} : { witness: draft.witness }),
      });
      const bytes = toBinary(FactSchema, fact).length;
      kept.push({ fact, bytes });
      keptBytes += bytes;
      makeRoom();
      return fact;
    },
    after(from) {
      const oldest = sequence - (kept.length - head) + 1;
      if (from > sequence || from < oldest - 1) return undefined;
      const facts: Fact[] = [];
      let bytes = 0;
      for (let index = head + (from - oldest + 1); index < kept.length; index++) {
        const entry = kept[index];
        if (entry === undefined || isFull(facts.length, bytes)) break;
        facts.push(entry.fact);
        bytes += entry.bytes;
      }
      return facts;
    },
    youngest() {
      const facts: Fact[] = [];
      let bytes = 0;
      for (let index = kept.length - 1; index >= head; index--) {
        const entry = kept[index];
        if (entry === undefined || isFull(facts.length, bytes)) break;
        facts.unshift(entry.fact);
        bytes += entry.bytes;
      }
      return facts;
    },
  };
}
