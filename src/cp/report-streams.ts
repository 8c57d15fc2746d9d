/**
 * Reads the reports of agents that this control plane knows by address: one stream each, opened at once and again whenever it
 * ends. This is the only layer that retries them. Whoever pushes reports besides does no harm: the fold takes duplicates.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { sleep, type Clock, type Entropy } from "../clock.ts";
import { fault, isFault, Reason, type Fault } from "../fault.ts";
import type { WatchReportsRequestSchema } from "../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { PackedReport, PackedWatchReportsResponse } from "../gen/wasmatrix/v1/packed_report_pb.ts";
import type { Log } from "../log.ts";
import { eachWithin } from "../rpc/deadline.ts";
import { faultTransport } from "../rpc/fault-transport.ts";
import type { NodeFold } from "./fold.ts";
import type { ReportOutcome } from "./fleet.ts";
import { packedWatchReports } from "./packed-methods.ts";

/** What reading needs. */
export type ReportStreamsDeps = {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly dial: (address: string) => Transport;
  readonly reportIntervalMs: number;
  /** Folds a report in; throws for one that cannot be taken. */
  readonly take: (report: PackedReport) => ReportOutcome;
  /** What is held of a node. */
  readonly held: (nodeId: string) => NodeFold | undefined;
};

/** See the top of the file. */
export interface ReportStreams {
  /** Reads from these addresses from now on. One that is no longer among them is read on while its stream stands, and then let go. */
  follow(addresses: Iterable<string>): void;
  /** Addresses whose agents have not said anything yet. */
  unanswered(): readonly string[];
  /** May be called twice. */
  close(): void;
}

const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** A stream on which nothing comes for so many intervals is dead, whatever the connection says. */
const SILENT_INTERVALS = 1.5;

/** Makes a reader that follows nobody. */
export function createReportStreams(deps: ReportStreamsDeps): ReportStreams {
  const { clock, entropy, log, reportIntervalMs } = deps;
  const followed = new Map<string, Followed>();

  type Followed = {
    readonly end: AbortController;
    /** Whom the address turned out to be. */
    nodeId: string | undefined;
    /** Whether it is begun again when it ends. */
    isWanted: boolean;
  };

  const readOnce = async (address: string, agent: Transport, mine: Followed): Promise<void> => {
    const { signal } = mine.end;
    const fold = mine.nodeId === undefined ? undefined : deps.held(mine.nodeId);
    const holds =
      fold?.coverage === undefined
        ? { case: "needSnapshot" as const, value: { why: "nothing is held" } }
        : { case: "acknowledged" as const, value: { epoch: fold.epoch, sequence: fold.coverage } };
    const stream = watch(agent, { holds, reportInterval: durationFromMs(reportIntervalMs) }, signal);
    const late = (): Fault =>
      fault(
        Reason.NODE_UNREACHABLE,
        `Cannot read reports from ${address}: nothing came for ${reportIntervalMs * SILENT_INTERVALS} ms`,
      );
    for await (const { report } of eachWithin(clock, reportIntervalMs * SILENT_INTERVALS, stream, late)) {
      if (report?.info === undefined) continue;
      const isPage = report.snapshot !== undefined && report.snapshot.page + 1 < report.snapshot.pageCount;
      const outcome = deps.take(report);
      letGo(report);
      mine.nodeId = report.info.nodeId;
      // Amid the pages of a snapshot it is right that something is missing.
      if (outcome.kind === "need-snapshot" && !isPage) {
        log.debug("reports have a gap, asking anew", { node: mine.nodeId, why: outcome.why });
        return;
      }
    }
  };

  const read = async (address: string, mine: Followed): Promise<void> => {
    const agent = faultTransport(deps.dial(address));
    const { signal } = mine.end;
    let failures = 0;
    while (!signal.aborted && mine.isWanted) {
      const beganMs = clock.steadyMs();
      try {
        await readOnce(address, agent, mine);
      } catch (error) {
        if (signal.aborted) return;
        const why = isFault(error) ? error.message : String(error);
        if (failures === 0) log.warn("reports of an agent cannot be read", { address, why });
        else log.debug("reports of an agent still cannot be read", { address, why, failures });
      }
      // One that stood for a while begins anew at once; one that ends straight away is asked less and less often.
      failures = clock.steadyMs() - beganMs > reportIntervalMs ? 0 : failures + 1;
      const pauseMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures, 10), BACKOFF_MAX_MS);
      await sleep(clock, pauseMs * (0.5 + entropy.fraction() / 2), signal);
    }
    if (followed.get(address) === mine) followed.delete(address);
  };

  return {
    follow(addresses) {
      const wanted = new Set(addresses);
      // A store that has lost its entries for a while says nothing against agents that go on reporting.
      for (const [address, one] of followed) one.isWanted = wanted.has(address);
      for (const address of wanted) {
        if (followed.has(address)) continue;
        const mine: Followed = { end: new AbortController(), nodeId: undefined, isWanted: true };
        followed.set(address, mine);
        // Never rejects: whatever fails is logged and tried again.
        void read(address, mine);
      }
    },
    unanswered: () =>
      [...followed].filter(([, { nodeId, isWanted }]) => isWanted && nodeId === undefined).map(([address]) => address),
    close() {
      for (const { end } of followed.values()) end.abort();
      followed.clear();
    },
  };
}

/** A stream keeps its last message until the next one comes: without what was taken from it. */
function letGo(report: PackedReport): void {
  report.facts = [];
  delete report.snapshot;
}

async function* watch(
  agent: Transport,
  request: MessageInitShape<typeof WatchReportsRequestSchema>,
  signal: AbortSignal,
): AsyncGenerator<PackedWatchReportsResponse> {
  const requests = (async function* () {
    yield request;
  })();
  const response = await agent.stream(packedWatchReports, signal, undefined, undefined, requests);
  yield* response.message;
}
