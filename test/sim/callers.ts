/** Callers of the API: they start, stop, assign, revoke and ask, through any control plane, and retry as the contract lets them. */
import { createHash } from "node:crypto";
import { createClient, type Client } from "@connectrpc/connect";
import { isFault, Reason, reasonName } from "../../src/fault.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import {
  CapabilityType,
  InstanceState,
  OnNodeLoss,
  RestartMode,
  type Instance,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { Node } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import type { Answers } from "./checks/answers.ts";
import { createFactReader } from "./checks/fact-order.ts";
import type { History, Wanted } from "./history.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { SimControlPlane } from "./sim-control-plane.ts";
import { moduleFromProgram } from "./sim-runtime.ts";
import { startSimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";

/** What callers are given. */
export type CallersDeps = {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly controlPlanes: readonly SimControlPlane[];
  readonly history: History;
  readonly answers: Answers;
  /** Nodes that have joined and not left for good. */
  readonly members: () => readonly string[];
  readonly note: (line: string) => void;
};

/** See the top of the file. */
export interface Callers {
  /** Spreads operations over the next `withinMs`. */
  begin(operations: number, withinMs: number): void;
  /** Everything that a control plane lists, `undefined` if it does not answer. */
  view(controlPlane: string): Promise<readonly Instance[] | undefined>;
  /** The nodes that it knows, `undefined` if it does not answer. */
  nodes(controlPlane: string): Promise<readonly Node[] | undefined>;
  /** Starts a service with a fresh key, once, through a control plane, and stops it again; why that failed, if it did. */
  probe(controlPlane: string): Promise<string | undefined>;
}

type Api = Client<typeof ControlPlaneService>;

const PROGRAMS = [
  "service",
  "service",
  "service",
  "service",
  "job 3000 0",
  "job 2000 1",
  "crash 2500",
  "crash 200",
  "sick",
  "noisy 6",
] as const;

/** Tries of one operation, at different control planes. */
const TRIES_MAX = 4;
/** A control plane that has run for so long has heard of every node that can be heard. */
const SETTLED_MS = 7_500 * 1.02;

const ENDED: ReadonlySet<InstanceState> = new Set([
  InstanceState.STOPPED,
  InstanceState.EXITED,
  InstanceState.FAILED,
  InstanceState.LOST,
]);

const BUCKET = { providerId: "kv", type: CapabilityType.KV, bucket: "main" } as const;

/** Makes callers that have not begun. */
export function createCallers(deps: CallersDeps): Callers {
  const { timeline, network, random, history, note } = deps;
  const process = startSimProcess("caller", timeline, () => ({ offsetMs: 0, rate: 1 }));
  const apis = new Map<string, Api>(
    deps.controlPlanes.map(({ name, address }) => {
      const transport = network.transport({ host: "caller", process }, address, []);
      return [name, createClient(ControlPlaneService, faultTransport(transport))];
    }),
  );
  const busy = new Set<string>();
  let next = 0;

  const apiOf = (name: string): Api => {
    const api = apis.get(name);
    if (api === undefined) throw new Error(`there is no control plane ${name}`);
    return api;
  };
  const lifeOf = (name: string): SimControlPlane | undefined => deps.controlPlanes.find((one) => one.name === name);

  /** Tries an operation at several control planes; true if one of them has answered. */
  const attempt = async (what: string, act: (name: string, tries: number) => Promise<void>): Promise<boolean> => {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const name = random.pick([...apis.keys()]);
      try {
        await act(name, tries);
        note(`${what} by ${name}: done`);
        return true;
      } catch (error) {
        if (!isFault(error)) throw error;
        note(`${what} by ${name}: ${reasonName(error.reason)} ${error.message}`);
        if (FINAL.has(error.reason)) return false;
        await new Promise<void>(
          (resolve) => void timeline.after(random.whole(50, 3_000), () => process.deliver(resolve)),
        );
      }
    }
    return false;
  };

  /** What keeps a key from being surely placed once: an older control plane, or one that could not know of all nodes. */
  const noteRisk = (id: string, name: string, tries: number): void => {
    const controlPlane = lifeOf(name);
    const life = controlPlane?.process?.name;
    if (controlPlane === undefined || life === undefined) return;
    if (controlPlane.isOld) history.excuse(id, "it was started by an older control plane");
    const isSettled = timeline.nowMs - controlPlane.bootedAtMs > SETTLED_MS;
    const unheard = deps.members().find((node) => !history.contacts.has(`${life} ${node}`));
    if (unheard !== undefined && (tries === 0 || isSettled)) history.excuse(id, `${life} had not heard of ${unheard}`);
  };

  const start = async (): Promise<void> => {
    const wanted = drawWanted(random, `key-${next++}`);
    const { id, key, program } = wanted;
    history.wanted.set(id, wanted);
    const request = requestFor(random, wanted);
    await attempt(`start ${key} ${id} (${program})`, async (name, tries) => {
      noteRisk(id, name, tries);
      const { instance } = await apiOf(name)
        .startInstance({ ...request, idempotencyKey: key, attempt: tries }, { timeoutMs: 15_000 })
        .finally(() => noteRisk(id, name, tries));
      if (instance?.id !== id) history.fail(`key ${key} was answered with ${instance?.id ?? "nothing"}, not ${id}`);
      history.started.add(id);
    });
  };

  /** An operation on an instance that a start was acknowledged for; one at a time. */
  const about = async (act: (id: string) => Promise<unknown>): Promise<void> => {
    const id = random.pick(["", ...history.started]);
    if (id === "" || busy.has(id)) return;
    busy.add(id);
    await act(id);
    busy.delete(id);
  };

  const acknowledge = (
    name: string,
    instance: Instance | undefined,
  ): { name: string; life: string; generation: bigint } => ({
    name,
    life: lifeOf(name)?.process?.name ?? name,
    generation: instance?.generation ?? 1n,
  });

  const stop = (id: string): Promise<boolean> =>
    attempt(`stop ${id}`, async (name) => {
      const { instance } = await apiOf(name).stopInstance({ instance: id }, { timeoutMs: 15_000 });
      if (instance === undefined || !ENDED.has(instance.state)) return;
      // Told from its last ending: one that failed by itself was stopped by nobody, and may be placed anew.
      if (instance.state === InstanceState.STOPPED) history.stopped.set(id, acknowledge(name, instance));
    });

  const revoke = (id: string): Promise<boolean> =>
    attempt(`revoke from ${id}`, async (name) => {
      const assignment = { ...BUCKET, permissions: ["kv:write"] };
      const { instance } = await apiOf(name).revokeCapability({ instance: id, assignment }, { timeoutMs: 15_000 });
      history.revoked.set(`${id} kv:write`, acknowledge(name, instance));
    });

  const assign = (id: string): Promise<boolean> =>
    attempt(`assign to ${id}`, async (name) => {
      const assignment = { ...BUCKET, bucket: "extra", permissions: ["kv:delete"] };
      await apiOf(name).assignCapability({ instance: id, assignment }, { timeoutMs: 15_000 });
      history.assigned.add(`${id} kv:delete`);
    });

  const view = async (name: string): Promise<readonly Instance[] | undefined> => {
    const instances: Instance[] = [];
    const sentMs = timeline.nowMs;
    try {
      for (let pageToken = ""; ;) {
        const page = await apiOf(name).listInstances({ pageToken, includeEnded: true }, { timeoutMs: 10_000 });
        instances.push(...page.instances);
        pageToken = page.nextPageToken;
        if (pageToken === "") break;
      }
    } catch (error) {
      if (!isFault(error)) throw error;
      note(`list by ${name}: ${error.message}`);
      return undefined;
    }
    // A process that has died and come back meanwhile is another one.
    const controlPlane = lifeOf(name);
    const life = controlPlane?.process?.name;
    if (life !== undefined && controlPlane !== undefined && controlPlane.bootedAtMs < sentMs)
      deps.answers.judge(life, instances, sentMs);
    return instances;
  };

  const list = async (): Promise<void> => void (await view(random.pick([...apis.keys()])));

  const watch = async (): Promise<void> => {
    const name = random.pick([...apis.keys()]);
    const reader = createFactReader((what) => history.fail(`${name} streamed ${what}`));
    const end = new AbortController();
    timeline.after(random.whole(2_000, 10_000), () => process.deliver(() => end.abort()));
    try {
      for await (const part of apiOf(name).watchFacts({ follow: true }, { signal: end.signal })) reader.read(part);
    } catch (error) {
      // A watcher that is cut off comes again with its cursor; this one has seen enough.
      if (!isFault(error)) throw error;
    }
  };

  const cordon = async (): Promise<void> => {
    const nodeId = random.pick(deps.members());
    await attempt(
      `cordon ${nodeId}`,
      async (name) => void (await apiOf(name).cordonNode({ nodeId }, { timeoutMs: 5_000 })),
    );
    await new Promise<void>((resolve) => void timeline.after(random.whole(500, 4_000), () => process.deliver(resolve)));
    await attempt(
      `uncordon ${nodeId}`,
      async (name) => void (await apiOf(name).uncordonNode({ nodeId }, { timeoutMs: 5_000 })),
    );
  };

  return {
    begin(operations, withinMs) {
      for (let index = 0; index < operations; index++) {
        const operation = random.pick([
          start,
          start,
          start,
          start,
          () => about(stop),
          () => about(stop),
          () => about(revoke),
          () => about(assign),
          list,
          list,
          watch,
          cordon,
        ]);
        timeline.after(random.whole(500, withinMs), () => process.deliver(() => void operation()));
      }
    },
    view: (name) => inProcess(() => view(name)),
    nodes: (name) =>
      inProcess(async () => {
        try {
          return (await apiOf(name).listNodes({}, { timeoutMs: 10_000 })).nodes;
        } catch (error) {
          if (!isFault(error)) throw error;
          return undefined;
        }
      }),
    probe: (name) =>
      inProcess(async () => {
        const key = `probe-${next++}`;
        const id = idFromKey(key);
        const wanted: Wanted = { ...drawWanted(random, key), program: "service", restarts: false, elsewhere: false };
        history.wanted.set(id, wanted);
        try {
          const module = { source: { case: "inline" as const, value: moduleFromProgram("service") } };
          await apiOf(name).startInstance(
            { idempotencyKey: key, spec: { name: "probe" }, module },
            { timeoutMs: 15_000 },
          );
          await apiOf(name).stopInstance({ instance: id }, { timeoutMs: 15_000 });
          return undefined;
        } catch (error) {
          if (!isFault(error)) throw error;
          return `${reasonName(error.reason)} ${error.message}`;
        }
      }),
  };

  function inProcess<T>(act: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      timeline.after(0, () => process.deliver(() => void act().then(resolve, reject)));
    });
  }
}

/** Answers that another try does not change. */
const FINAL: ReadonlySet<Reason> = new Set([
  Reason.INSTANCE_NOT_FOUND,
  Reason.INSTANCE_NOT_RUNNING,
  Reason.GUEST_TRAPPED,
  Reason.UNIMPLEMENTED,
]);

function drawWanted(random: Random, key: string): Wanted {
  const restarts = random.chance(0.6);
  return {
    id: idFromKey(key),
    key,
    program: random.pick(PROGRAMS),
    restarts,
    maxRetries: random.pick([0, 0, 3]),
    backoffMs: random.pick([200, 1_000]),
    backoffMaxMs: random.pick([1_000, 5_000]),
    elsewhere: random.chance(0.4),
  };
}

function requestFor(random: Random, wanted: Wanted): Parameters<Api["startInstance"]>[0] {
  const { restarts, maxRetries, backoffMs, backoffMaxMs, elsewhere, program } = wanted;
  const duration = (ms: number): { seconds: bigint; nanos: number } => ({
    seconds: BigInt(Math.floor(ms / 1_000)),
    nanos: (ms % 1_000) * 1_000_000,
  });
  const mode = program.startsWith("service") || random.chance(0.5) ? RestartMode.ALWAYS : RestartMode.ON_FAILURE;
  return {
    spec: {
      name: `app-${random.whole(0, 3)}`,
      restartPolicy: {
        mode: restarts ? mode : RestartMode.NEVER,
        maxRetries,
        backoff: duration(backoffMs),
        backoffMax: duration(backoffMaxMs),
      },
      assignments: [{ ...BUCKET, permissions: ["kv:read", "kv:write"] }],
      onNodeLoss: elsewhere ? OnNodeLoss.RESTART_ELSEWHERE : OnNodeLoss.NONE,
    },
    module: { source: { case: "inline", value: moduleFromProgram(program) } },
  };
}

/** As the control plane derives it. */
export function idFromKey(key: string): string {
  const hash = createHash("sha256").update(key).digest("hex");
  return BigInt(`0x${hash}`).toString(36).padStart(20, "0").slice(-20);
}
