/**
 * Keeps one control plane informed: registers, reports changes at once and otherwise a heartbeat, one report in flight.
 * Several control planes have a reporter each, with a position of its own. This is the only layer that retries reports.
 */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { sleep, type Clock, type Entropy } from "../clock.ts";
import { isFault, Reason } from "../fault.ts";
import type { ControlPlaneService } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import type { Snapshot } from "../gen/wasmatrix/v1/fact_pb.ts";
import type { Load, NodeInfo } from "../gen/wasmatrix/v1/node_pb.ts";
import type { Log } from "../log.ts";
import { reportFrom } from "./fleet/report-stream.ts";
import type { ReportLog } from "./report-log.ts";
import { hasMore, planReport, positionAfter, type ReportContent, type ReportPosition } from "./report-plan.ts";

/** The two calls that an agent makes to a control plane. */
export type ReportClient = Pick<Client<typeof ControlPlaneService>, "registerNode" | "reportStatus">;

/** What a reporter is given. */
export type ReporterDeps = {
  readonly client: ReportClient;
  /** The control plane's address, for the log. */
  readonly address: string;
  readonly facts: ReportLog;
  /** What the agent says of itself, asked for with each report. */
  readonly nodeInfo: () => NodeInfo;
  readonly load: () => Load;
  /** All that the node holds as of now, in pages. */
  readonly takeSnapshot: () => readonly Snapshot[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** See the top of the file. */
export interface Reporter {
  /** Resolves once the control plane holds everything up to some moment. Never rejects. */
  readonly joined: Promise<void>;
  /** There are new facts: reports at once, or as soon as the report in flight is answered. */
  wake(): void;
  /** Sends what is left and that the node leaves, within `graceMs`, then ends. May be called twice. */
  close(graceMs: number): Promise<void>;
}

/** Interval until the control plane names one. */
const INTERVAL_DEFAULT_MS = 5_000;
/** Share of the interval by which heartbeats come early, so that agents do not beat in step. */
const INTERVAL_JITTER_SHARE = 0.2;
const CALL_TIMEOUT_MS = 10_000;
const BACKOFF_FIRST_MS = 250;
/** After snapshots that are refused: they cost more than a report that nobody takes. */
const SNAPSHOT_BACKOFF_MAX_MS = 15_000;
/** After a refusal that only an operator can end: a wrong token, a protocol version that is not served. */
const REFUSED_RETRY_MS = 60_000;

/** Starts reporting. */
export function startReporter(deps: ReporterDeps): Reporter {
  const { client, clock, facts } = deps;
  const log = deps.log.with({ controlPlane: deps.address });
  const joined = Promise.withResolvers<void>();
  const closing = new AbortController();
  let position: ReportPosition = { kind: "behind" };
  let intervalMs: number | undefined;
  /** The longest wait after a failure: a control plane that comes back is to be whole again one interval later. */
  let backoffMaxMs = INTERVAL_DEFAULT_MS;
  let failures = 0;
  let wakeUp: () => void = () => undefined;

  const register = async (signal: AbortSignal): Promise<number> => {
    const response = await client.registerNode(
      { info: deps.nodeInfo(), epoch: facts.epoch },
      { timeoutMs: CALL_TIMEOUT_MS, signal },
    );
    const named = response.reportInterval === undefined ? 0 : durationMs(response.reportInterval);
    return named > 0 ? named : INTERVAL_DEFAULT_MS;
  };

  /** One report and its answer. */
  const report = async (
    options: { readonly leaving: boolean; readonly timeoutMs: number },
    signal?: AbortSignal,
  ): Promise<void> => {
    let content = planReport(position, facts);
    if (content.kind === "take-snapshot") {
      position = { kind: "paging", pages: deps.takeSnapshot(), next: 0 };
      content = planReport(position, facts);
    }
    const request = reportFrom(deps, content, options.leaving);
    const response = await client.reportStatus(request, {
      timeoutMs: options.timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const before = position;
    position = positionAfter(before, response, facts);
    if (position.kind === "holds") joined.resolve();
    // Refused twice in a row, a snapshot goes out at the pace of failures, not in a tight loop.
    if (position.kind === "behind" && before.kind === "paging") throw new SnapshotRefusedError();
  };

  const pauseAfter = (error: unknown): number => {
    failures += 1;
    // Whoever answers next may be a fresh process: introduce again. What it holds, its next answer says; only
    // pages of a snapshot must not be spread over two lives of a control plane.
    intervalMs = undefined;
    if (position.kind === "paging") position = { kind: "behind" };
    if (isFault(error, Reason.PROTOCOL_VERSION_UNSUPPORTED) || isFault(error, Reason.UNAUTHENTICATED)) {
      log.error("control plane refuses this node", { retryMs: REFUSED_RETRY_MS, why: error.message });
      return REFUSED_RETRY_MS;
    }
    const maxMs = error instanceof SnapshotRefusedError ? SNAPSHOT_BACKOFF_MAX_MS : backoffMaxMs;
    const pauseMs =
      Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 16), maxMs) * (0.5 + deps.entropy.fraction() / 2);
    const why = error instanceof Error ? error.message : String(error);
    if (failures === 1) log.warn("control plane cannot be reached", { why });
    else log.debug("control plane still cannot be reached", { why, failures });
    return pauseMs;
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        intervalMs ??= await register(closing.signal);
        backoffMaxMs = Math.max(BACKOFF_FIRST_MS, intervalMs);
        await report({ leaving: false, timeoutMs: CALL_TIMEOUT_MS }, closing.signal);
        if (failures > 0) log.info("control plane reached again", { failures });
        failures = 0;
        if (!hasMore(position, facts))
          await nextBeat(intervalMs * (1 - INTERVAL_JITTER_SHARE * deps.entropy.fraction()));
      } catch (error) {
        if (closing.signal.aborted) return;
        await sleep(clock, pauseAfter(error), closing.signal);
      }
    }
  };

  /** Waits for the interval, a wake or the end. */
  const nextBeat = async (delayMs: number): Promise<void> => {
    const beat = new AbortController();
    wakeUp = () => beat.abort();
    await sleep(clock, delayMs, AbortSignal.any([beat.signal, closing.signal]));
    wakeUp = () => undefined;
  };

  const leave = async (graceMs: number): Promise<void> => {
    const endMs = clock.nowMs() + graceMs;
    closing.abort();
    await running;
    // One that never answered will not begin to now, and the process wants to end.
    if (intervalMs === undefined) return;
    try {
      while (clock.nowMs() < endMs) {
        const timeoutMs = Math.max(1, endMs - clock.nowMs());
        const last = planReport(position, facts);
        await report({ leaving: isLast(last, facts), timeoutMs });
        if (isLast(last, facts)) return;
      }
    } catch (error) {
      // The control plane will find the node lost instead of left; nothing else is missing.
      log.warn("could not tell the control plane that this node leaves", { why: String(error) });
    }
  };

  const running = run();
  let left: Promise<void> | undefined;
  return {
    joined: joined.promise,
    wake: () => wakeUp(),
    close: (graceMs) => (left ??= leave(graceMs)),
  };
}

class SnapshotRefusedError extends Error {
  override readonly message = "a whole snapshot was sent, and another is asked for";
}

/** Whether nothing is left to send after this content. */
function isLast(content: ReportContent, facts: ReportLog): boolean {
  if (content.kind === "heartbeat") return true;
  return content.kind === "facts" && content.after + content.facts.length === facts.sequence;
}
