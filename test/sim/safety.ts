/** What must hold at every step, judged by what really runs and by what was answered. */
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import { InstanceState, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { GuestStart } from "../../src/runtime/runtime.ts";
import type { Timeline } from "./timeline.ts";
import type { World } from "./world.ts";

/** See the top of the file. */
export interface Safety {
  /** An agent wrote a record: from now on it may be reported. */
  noteRecord(nodeId: string, record: InstanceRecord): void;
  /** A guest began to run. */
  noteStarted(nodeId: string, start: GuestStart): void;
  /** What became of a disk in a crash. */
  noteDisk(nodeId: string, disk: "kept" | "power-cut" | "wiped" | "stale"): void;
  /** A caller was told that the instance has stopped. */
  noteStopAcknowledged(id: string): void;
  /** A caller asked for an instance; `restarts` if its policy ever restarts it. */
  noteWanted(id: string, policy: { readonly restarts: boolean }): void;
  /** Judges an answer of a control plane. */
  noteAnswer(controlPlane: string, instances: readonly Instance[]): void;
  /** Nodes whose disk forgot something; what was acknowledged there may be gone. */
  readonly forgetful: ReadonlySet<string>;
  /** The first thing that was found wrong. */
  violation(world: World): string | undefined;
}

/** Begins to watch. */
export function createSafety(deps: { readonly timeline: Timeline }): Safety {
  /** Everything that an agent ever recorded, as `node/id/generation/state`. */
  const recorded = new Set<string>();
  const stopped = new Map<string, number>();
  const wanted = new Map<string, { readonly restarts: boolean }>();
  const starts = new Map<string, string[]>();
  const forgetful = new Set<string>();
  const found: string[] = [];

  return {
    forgetful,
    noteRecord(nodeId, record) {
      recorded.add(`${nodeId}/${record.id}/${String(record.generation)}/${record.state}`);
    },
    noteStarted(nodeId, { id }) {
      const before = starts.get(id) ?? [];
      starts.set(id, [...before, nodeId]);
      const stoppedAtMs = stopped.get(id);
      if (stoppedAtMs !== undefined) {
        found.push(`instance ${id} was started on ${nodeId} after its stop was acknowledged`);
      }
      if (wanted.get(id)?.restarts === false && before.includes(nodeId)) {
        found.push(`instance ${id} is never to be restarted and was started again on ${nodeId}`);
      }
    },
    noteDisk(nodeId, disk) {
      if (disk !== "kept") forgetful.add(nodeId);
    },
    noteStopAcknowledged(id) {
      if (!stopped.has(id)) stopped.set(id, deps.timeline.nowMs);
    },
    noteWanted: (id, policy) => void wanted.set(id, policy),
    noteAnswer(controlPlane, instances) {
      for (const instance of instances) {
        if (instance.state === InstanceState.UNKNOWN) continue;
        const state = STATE_WORDS[instance.state] ?? "?";
        const said = `${instance.nodeId}/${instance.id}/${String(instance.generation)}/${state}`;
        if (!recorded.has(said)) found.push(`${controlPlane} answered ${said}, which no agent ever recorded`);
      }
    },
    violation(world) {
      if (found.length > 0) return found[0];
      return runsTwice(world) ?? overCapacity(world);
    },
  };
}

const STATE_WORDS: Readonly<Partial<Record<InstanceState, string>>> = {
  [InstanceState.STARTING]: "starting",
  [InstanceState.RUNNING]: "running",
  [InstanceState.BACKOFF]: "backoff",
  [InstanceState.STOPPING]: "stopping",
  [InstanceState.STOPPED]: "stopped",
  [InstanceState.EXITED]: "exited",
  [InstanceState.FAILED]: "failed",
  [InstanceState.LOST]: "lost",
};

/** At most one live run of each generation of an instance, anywhere. */
function runsTwice({ agents }: World): string | undefined {
  const runs = new Map<string, string>();
  for (const { nodeId, running } of agents) {
    if (running === undefined) continue;
    for (const { id } of running.runtime.live.values()) {
      const generation = running.agent?.supervisor.find(id)?.generation ?? 0;
      const key = `${id} generation ${String(generation)}`;
      const other = runs.get(key);
      if (other !== undefined) return `instance ${key} runs on ${other} and on ${nodeId}`;
      runs.set(key, nodeId);
    }
  }
  return undefined;
}

function overCapacity({ agents }: World): string | undefined {
  for (const { nodeId, running, instancesMax } of agents) {
    const count = running?.runtime.live.size ?? 0;
    if (count > instancesMax) return `${nodeId} runs ${count} instances and takes ${instancesMax}`;
  }
  return undefined;
}
