/** What must come about once nothing is wrong any more: views equal the truth, promises hold everywhere, and what can be placed is. */
import { equals } from "@bufbuild/protobuf";
import { hasEnded, type InstanceRecord } from "../../src/agent/instance-record.ts";
import { InstanceSchema, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState, type Node } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { permissionsOf } from "./checks/promises.ts";
import { mayRunTwice, type Runs } from "./checks/runs.ts";
import type { Callers } from "./callers.ts";
import type { Wanted } from "./history.ts";
import type { World } from "./world.ts";

/** What is not yet as it must be, and how long after healing it may stay so. */
export type Unmet = { readonly what: string; readonly withinMs: number };

/** Two report intervals, by clocks that drift by a hundredth, and time for messages to travel. */
const VIEWS_MS = 10_000 * 1.02 + 500;
/** A control plane that lost its discovery store looks again after so long. */
const DISCOVERY_MS = 13_000;
/** Who is silent has to be found lost first. */
const RESTARTS_MS = 40_000;
/** For what the first whole views bring to light: double starts, old generations, forgotten stops. */
const MENDING_MS = 30_000;

/** How long after healing a control plane may be wrong about what runs. */
export function viewsWithinMs({ plan }: World): number {
  return VIEWS_MS + (plan.discovery === "etcd" ? DISCOVERY_MS : 0);
}

/** Everything that is not yet as it must be. */
export async function unmetOf(world: World, callers: Callers, runs: Runs): Promise<readonly Unmet[]> {
  const unmet: Unmet[] = [...unmetViews(world, await viewsOf(world, callers))];
  for (const { name } of world.controlPlanes) unmet.push(...unmetNodes(world, name, await callers.nodes(name)));
  for (const wanted of world.history.wanted.values()) unmet.push(...unmetOfOne(world, wanted, runs));
  return unmet;
}

type View = { readonly name: string; readonly instances: readonly Instance[] | undefined };

async function viewsOf({ controlPlanes }: World, callers: Callers): Promise<readonly View[]> {
  return Promise.all(controlPlanes.map(async ({ name }) => ({ name, instances: await callers.view(name) })));
}

function unmetViews(world: World, views: readonly View[]): readonly Unmet[] {
  const withinMs = viewsWithinMs(world);
  return views.flatMap(({ name, instances }) => {
    const what =
      instances === undefined ? `${name} does not list instances` : differenceFromTruth(world, name, instances);
    return what === undefined ? [] : [{ what, withinMs }];
  });
}

/** Whatever an agent has, the control plane says so to the byte, and nothing else of a node that is up. */
export function differenceFromTruth({ agents }: World, name: string, answer: readonly Instance[]): string | undefined {
  const said = new Map(answer.map((instance) => [`${instance.nodeId}/${instance.id}`, instance]));
  for (const { nodeId, running } of agents) {
    const agent = running?.agent;
    if (agent === undefined) continue;
    for (const record of agent.supervisor.list()) {
      const instance = said.get(`${nodeId}/${record.id}`);
      said.delete(`${nodeId}/${record.id}`);
      if (instance === undefined)
        return `${name} does not know instance ${record.id}, which is ${record.state} on ${nodeId}`;
      // Uses are told a few seconds late; when it was observed is the control plane's own.
      const truth = { ...agent.describe(record), permissionUses: [] };
      const { observedTime: _, ...told } = { ...instance, permissionUses: [] };
      if (!equals(InstanceSchema, truth, told))
        return `${name} says state ${instance.state} generation ${instance.generation} of instance ${record.id}, which is ${record.state} in generation ${record.generation} on ${nodeId}`;
    }
  }
  const upNodes = new Set(agents.filter(({ running }) => running !== undefined).map(({ nodeId }) => nodeId));
  const invented = [...said.values()].find(({ nodeId }) => upNodes.has(nodeId));
  return invented === undefined
    ? undefined
    : `${name} knows instance ${invented.id} on ${invented.nodeId}, which does not have it`;
}

/** Every node that is up is known to be. */
function unmetNodes(world: World, name: string, nodes: readonly Node[] | undefined): readonly Unmet[] {
  const withinMs = viewsWithinMs(world);
  const known = new Map(nodes?.map((node) => [node.info?.nodeId, node]));
  return world.agents.flatMap(({ nodeId, running }) => {
    const node = known.get(nodeId);
    if (running === undefined || (node?.state === NodeState.AVAILABLE && !node.rebuilding)) return [];
    return [{ what: `${name} does not know that ${nodeId} is available`, withinMs }];
  });
}

type Holding = { readonly nodeId: string; readonly record: InstanceRecord };

function unmetOfOne(world: World, wanted: Wanted, runs: Runs): readonly Unmet[] {
  const { history, agents } = world;
  const { id } = wanted;
  const holdings = agents.flatMap(({ nodeId, running }): Holding[] => {
    const record = running?.agent?.supervisor.find(id);
    return record === undefined ? [] : [{ nodeId, record }];
  });
  const live = holdings.filter(({ record }) => !hasEnded(record));
  const unmet: Unmet[] = [];
  if (live.length > 1)
    unmet.push({
      what: `instance ${id} is live on ${live.map(({ nodeId }) => nodeId).join(" and ")} after healing`,
      withinMs: MENDING_MS,
    });
  const stop = history.stopped.get(id);
  const [first] = live;
  if (stop !== undefined && first !== undefined && canBeKnown(world, id, stop.life))
    unmet.push({
      what: `instance ${id} is ${first.record.state} on ${first.nodeId} after healing, and ${stop.name} acknowledged its stop`,
      withinMs: MENDING_MS,
    });
  for (const { nodeId, record } of live) {
    for (const permission of permissionsOf(record)) {
      const revocation = history.revoked.get(`${id} ${permission}`);
      if (revocation !== undefined && canBeKnown(world, id, revocation.life))
        unmet.push({
          what: `instance ${id} has ${permission} on ${nodeId} after healing, and ${revocation.name} acknowledged that it was revoked`,
          withinMs: MENDING_MS,
        });
    }
    if (
      history.assigned.has(`${id} kv:delete`) &&
      !permissionsOf(record).includes("kv:delete") &&
      !mayRunTwice(history, id)
    )
      unmet.push({ what: `instance ${id} on ${nodeId} lacks kv:delete, which was assigned`, withinMs: MENDING_MS });
  }
  if (mustRun(world, wanted) && stop === undefined && runs.live(id).length === 0)
    unmet.push({ what: `instance ${id} (${wanted.program}) does not run after healing`, withinMs: RESTARTS_MS });
  return unmet;
}

/** Whether anybody is left who knows of an acknowledgement that its node may have forgotten. */
function canBeKnown({ history, controlPlanes }: World, id: string, life: string): boolean {
  return !mayRunTwice(history, id) || controlPlanes.some(({ process }) => process?.name === life);
}

/** Whether an acknowledged start has to show: a service that its policy always brings back, on nodes that remember it. */
function mustRun(world: World, wanted: Wanted): boolean {
  const { history, agents, gone } = world;
  if (!history.started.has(wanted.id) || wanted.program !== "service") return false;
  if (!wanted.restarts || wanted.maxRetries > 0 || history.excused.has(wanted.id)) return false;
  const forgot = [...history.forgetful].filter(([, disk]) => disk !== "power-cut").map(([node]) => node);
  const lost = new Set([...forgot, ...gone]);
  if (!wanted.elsewhere) return lost.size === 0;
  return lost.size < 2 && agents.some((agent) => hasRoom(agent));
}

/** Whether a node could take one more instance. */
export function hasRoom({ running, instancesMax }: World["agents"][number]): boolean {
  const agent = running?.agent;
  return agent !== undefined && !agent.fleet.isCordoned() && agent.supervisor.load().instances < instancesMax;
}
