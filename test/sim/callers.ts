/** Callers of the API: they start, stop and ask, through any control plane, and retry as the contract lets them. */
import { createHash } from "node:crypto";
import { createClient, type Client } from "@connectrpc/connect";
import { hasEnded } from "../../src/agent/instance-record.ts";
import { isFault, reasonName } from "../../src/fault.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceState, RestartMode, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { rpcClientInterceptors } from "../../src/rpc/client-interceptors.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import { moduleFromProgram } from "./sim-runtime.ts";
import type { Safety } from "./safety.ts";
import { startSimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";
import type { World } from "./world.ts";

/** What callers are given. */
export type CallersDeps = {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly controlPlanes: readonly string[];
  readonly safety: Safety;
  readonly note: (line: string) => void;
};

/** See the top of the file. */
export interface Callers {
  /** Spreads operations over the next `withinMs`. */
  begin(operations: number, withinMs: number): void;
  /** After healing: whether views equal the truth. `run` lets time pass. */
  finalCheck(world: World, run: (untilMs: number) => Promise<string | undefined>): Promise<string | undefined>;
}

type Api = Client<typeof ControlPlaneService>;

const PROGRAMS = ["service", "service", "service", "job 3000 0", "job 2000 1", "crash 2500", "sick"] as const;

/** Makes callers that have not begun. */
export function createCallers(deps: CallersDeps): Callers {
  const { timeline, network, random, safety, note } = deps;
  const process = startSimProcess("caller", timeline, () => ({ offsetMs: 0, rate: 1 }));
  const apis = new Map<string, Api>(
    deps.controlPlanes.map((name) => {
      const transport = network.transport({ host: "caller", process }, `http://${name}`, rpcClientInterceptors({}));
      return [name, createClient(ControlPlaneService, faultTransport(transport))];
    }),
  );
  /** Ids that a start was acknowledged for. */
  const started: string[] = [];
  let next = 0;

  const anyApi = (): { readonly name: string; readonly api: Api } => {
    const [name, api] = random.pick([...apis]);
    return { name, api };
  };

  /** Tries an operation at several control planes; true if one of them has answered. */
  const attempt = async (what: string, act: (api: Api, name: string, tries: number) => Promise<void>): Promise<boolean> => {
    for (let tries = 0; tries < 4; tries++) {
      const { name, api } = anyApi();
      try {
        await act(api, name, tries);
        note(`${what} by ${name}: done`);
        return true;
      } catch (error) {
        if (!isFault(error)) throw error;
        note(`${what} by ${name}: ${reasonName(error.reason)} ${error.message}`);
        await new Promise<void>((resolve) => void timeline.after(random.whole(50, 3_000), resolve));
      }
    }
    return false;
  };

  const start = async (): Promise<void> => {
    const key = `key-${next++}`;
    const id = idFromKey(key);
    const restarts = random.chance(0.5);
    const program = random.pick(PROGRAMS);
    safety.noteWanted(id, { restarts });
    const spec = {
      name: `app-${random.whole(0, 3)}`,
      restartPolicy: {
        mode: restarts ? random.pick([RestartMode.ALWAYS, RestartMode.ON_FAILURE]) : RestartMode.NEVER,
        maxRetries: 3,
      },
    };
    const module = { source: { case: "inline" as const, value: moduleFromProgram(program) } };
    await attempt(`start ${key} (${program})`, async (api, _name, tries) => {
      const { instance } = await api.startInstance({ idempotencyKey: key, attempt: tries, spec, module }, { timeoutMs: 15_000 });
      if (instance?.id !== id) throw new Error(`key ${key} was answered with ${instance?.id ?? "nothing"}, not ${id}`);
      started.push(id);
    });
  };

  const stop = async (): Promise<void> => {
    if (started.length === 0) return;
    const id = random.pick(started);
    await attempt(`stop ${id}`, async (api) => {
      const { instance } = await api.stopInstance({ instance: id }, { timeoutMs: 15_000 });
      if (instance !== undefined && ENDED.has(instance.state)) safety.noteStopAcknowledged(id);
    });
  };

  const list = async (): Promise<void> => {
    await attempt("list", async (api, name) => safety.noteAnswer(name, await allInstances(api)));
  };

  return {
    begin(operations, withinMs) {
      for (let index = 0; index < operations; index++) {
        const operation = random.pick([start, start, start, stop, list, list]);
        timeline.after(random.whole(500, withinMs), () => void operation());
      }
    },
    async finalCheck(world, run) {
      for (const [name, api] of apis) {
        // What changes while an answer travels is no lie: it must agree once within two report intervals.
        let wrong: string | undefined = `${name} does not list instances after healing`;
        for (let tries = 0; tries < 10 && wrong !== undefined; tries++) {
          timeline.after(0, () => {
            allInstances(api).then(
              (instances) => {
                safety.noteAnswer(name, instances);
                wrong = differsFromTruth(name, instances, world);
              },
              (error: unknown) => (wrong = `${name} does not list instances after healing: ${String(error)}`),
            );
          });
          const violation = await run(timeline.nowMs + 1_000);
          if (violation !== undefined) return violation;
        }
        if (wrong !== undefined) return wrong;
      }
      return undefined;
    },
  };
}

const ENDED: ReadonlySet<InstanceState> = new Set([
  InstanceState.STOPPED,
  InstanceState.EXITED,
  InstanceState.FAILED,
  InstanceState.LOST,
]);

async function allInstances(api: Api): Promise<readonly Instance[]> {
  const instances: Instance[] = [];
  for (let pageToken = ""; ; ) {
    const page = await api.listInstances({ pageToken, includeEnded: true }, { timeoutMs: 10_000 });
    instances.push(...page.instances);
    if (page.nextPageToken === "") return instances;
    pageToken = page.nextPageToken;
  }
}

/** Whatever an agent has, the control plane says so, and nothing else of a node that is up. */
function differsFromTruth(name: string, answer: readonly Instance[], { agents }: World): string | undefined {
  const said = new Map(answer.map((instance) => [`${instance.nodeId}/${instance.id}`, instance.state]));
  const live = new Map<string, string>();
  for (const { nodeId, running } of agents) {
    for (const record of running?.agent?.supervisor.list() ?? []) {
      const state = said.get(`${nodeId}/${record.id}`);
      if (state === undefined) return `${name} does not know instance ${record.id}, which is ${record.state} on ${nodeId}`;
      if ((InstanceState[record.state.toUpperCase() as keyof typeof InstanceState] as InstanceState) !== state)
        return `${name} says state ${state} of instance ${record.id}, which is ${record.state} on ${nodeId}`;
      if (hasEnded(record)) continue;
      const other = live.get(record.id);
      if (other !== undefined) return `instance ${record.id} is live on ${other} and on ${nodeId} after healing`;
      live.set(record.id, nodeId);
    }
  }
  return undefined;
}

/** As the control plane derives it. */
function idFromKey(key: string): string {
  const hash = createHash("sha256").update(key).digest("hex");
  return BigInt(`0x${hash}`).toString(36).padStart(20, "0").slice(-20);
}
