/**
 * What happened in a world, as its checks need to know it: what callers wanted and were promised, what runs, what was lost. Only
 * the simulator sees all of it.
 */
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import type { ReportStatusRequest } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import type { WitnessCopy } from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";

/** What a caller asked for with one key. */
export type Wanted = {
  readonly id: string;
  readonly key: string;
  readonly program: string;
  /** Whether its policy ever restarts it. */
  readonly restarts: boolean;
  /** 0 for no bound. */
  readonly maxRetries: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly elsewhere: boolean;
};

/** One run of a guest. */
export type Run = {
  readonly node: string;
  /** The agent's process. */
  readonly life: string;
  readonly id: string;
  readonly generation: bigint;
};

/** Which process of a control plane acknowledged something, and of which generation. */
export type Acknowledgement = { readonly name: string; readonly life: string; readonly generation: bigint };

/** What became of a disk in a crash. */
export type DiskFate = "kept" | "power-cut" | "wiped" | "stale";

/** Whoever watches a world; all are told in the order of things. */
export type Watcher = {
  readonly onRecord?: (node: string, record: InstanceRecord) => void;
  readonly onWitness?: (node: string, copy: WitnessCopy) => void;
  readonly onRunStarted?: (run: Run) => void;
  /** Also when its process has died. */
  readonly onRunEnded?: (run: Run, ending: "by itself" | "with its process") => void;
  /** A report that an agent sent. */
  readonly onReport?: (report: ReportStatusRequest) => void;
  readonly onSend?: (life: string, to: string, path: string) => void;
};

/** See the top of the file. */
export interface History {
  readonly wanted: Map<string, Wanted>;
  /** Ids that a start was acknowledged for. */
  readonly started: Set<string>;
  /** By whom the stop of an id was acknowledged first. */
  readonly stopped: Map<string, Acknowledgement>;
  /** `id permission` by who acknowledged that it was revoked. */
  readonly revoked: Map<string, Acknowledgement>;
  /** `id permission` that was acknowledged as assigned. */
  readonly assigned: Set<string>;
  /** Nodes whose disk forgot something: what was acknowledged there may be gone. */
  readonly forgetful: Map<string, DiskFate>;
  /** Ids whose key may have been placed twice, and why that is within what is promised. */
  readonly excused: ReadonlyMap<string, string>;
  excuse(id: string, why: string): void;
  /** When a process last heard of a host, as `process host`. */
  readonly contacts: Map<string, number>;
  /** Something is not as it must be. Only the first counts. */
  fail(what: string): void;
  readonly failure: string | undefined;
}

/** An empty history. */
export function createHistory(note: (line: string) => void): History {
  let failure: string | undefined;
  const excused = new Map<string, string>();
  return {
    wanted: new Map(),
    started: new Set(),
    stopped: new Map(),
    revoked: new Map(),
    assigned: new Set(),
    forgetful: new Map(),
    excused,
    excuse(id, why) {
      if (!excused.has(id)) note(`  ${id} may run twice: ${why}`);
      excused.set(id, why);
    },
    contacts: new Map(),
    fail(what) {
      failure ??= what;
    },
    get failure() {
      return failure;
    },
  };
}

/** All watchers as one. */
export function joinWatchers(watchers: readonly Watcher[]): Required<Watcher> {
  const each = (tell: (watcher: Watcher) => void): void => {
    for (const watcher of watchers) tell(watcher);
  };
  return {
    onRecord: (node, record) => each((watcher) => watcher.onRecord?.(node, record)),
    onWitness: (node, copy) => each((watcher) => watcher.onWitness?.(node, copy)),
    onRunStarted: (run) => each((watcher) => watcher.onRunStarted?.(run)),
    onRunEnded: (run, ending) => each((watcher) => watcher.onRunEnded?.(run, ending)),
    onReport: (report) => each((watcher) => watcher.onReport?.(report)),
    onSend: (life, to, path) => each((watcher) => watcher.onSend?.(life, to, path)),
  };
}

/** Notes what runs and what stands on disks, for traces. */
export function noteAll(note: (line: string) => void): Watcher {
  return {
    onRecord: (node, { id, generation, state, witnessNodeId }) =>
      note(
        `  ${node} records ${id} generation ${generation} ${state}${witnessNodeId === "" ? "" : ` (witness ${witnessNodeId})`}`,
      ),
    onWitness: (node, { instanceId, generation, nodeId, stopped }) =>
      note(`  ${node} keeps ${instanceId} generation ${generation} on ${nodeId}${stopped ? " stopped" : ""}`),
    onRunStarted: ({ life, id, generation }) => note(`  ${life} runs ${id} generation ${generation}`),
    onRunEnded: ({ life, id, generation }, ending) => note(`  ${life} ended ${id} generation ${generation} ${ending}`),
  };
}
