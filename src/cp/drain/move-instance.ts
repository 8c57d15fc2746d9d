/** Moves one live instance to another node: the new one is ready before the old one ends. */
import type { Clock } from "../../clock.ts";
import { fault, isFault, Reason, type Fault } from "../../fault.ts";
import type { Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { Log } from "../../log.ts";
import type { Fleet } from "../fleet.ts";
import { ledgerValue } from "../fold/ledger.ts";
import { hasEnded } from "../instance-life.ts";
import { untilFleet } from "../until-fleet.ts";
import { hasBegun, restartsElsewhere } from "../witness/fleet-picture.ts";
import { bestCandidate, type GenerationActions } from "../witness/generation-actions.ts";

/** What moving needs. */
export type MoveDeps = {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
  readonly actions: GenerationActions;
  /** The nodes that fit the order of a copy, best first, without these. Throws, saying why, if none fits. */
  readonly candidates: (copy: WitnessCopy, without: readonly string[]) => readonly string[];
  /** For a new instance to become ready after its node has answered. */
  readonly readyTimeoutMs: number;
};

/** What came of a move. */
export type MoveOutcome =
  | { readonly kind: "moved"; readonly nodeId: string; readonly generation: bigint }
  | { readonly kind: "stayed"; readonly why: Fault };

/** Nodes that are tried for one instance. */
const CANDIDATES_MAX = 4;

/** Whether an instance may be moved at all. */
export function isMovable(instance: Instance): boolean {
  return restartsElsewhere(instance) && instance.witnessNodeId !== "";
}

/**
 * Moves the instance, or leaves it running where it is and says why. Goes on where an earlier attempt was broken off. Never rejects.
 * Whatever it leaves behind when this process dies midway, the keepers of generations bring to an end.
 */
export async function moveInstance(deps: MoveDeps, instance: Instance): Promise<MoveOutcome> {
  const doing = `Cannot move instance "${instance.id}"`;
  if (!isMovable(instance)) {
    const why = "it is not to be restarted on another node (on_node_loss); stop it, or wait until it ends";
    return { kind: "stayed", why: fault(Reason.NO_WITNESS, `${doing}: ${why}`, { subject: instance.id }) };
  }
  try {
    const copy = await deps.actions.readCopy(instance.witnessNodeId, instance.id);
    if (copy.stopped) {
      return { kind: "stayed", why: fault(Reason.INSTANCE_NOT_RUNNING, `${doing}: it is being stopped`) };
    }
    return await placeAndEnd(deps, instance, copy);
  } catch (error) {
    if (!isFault(error)) deps.log.error("move failed", { instance: instance.id }, error);
    return { kind: "stayed", why: isFault(error) ? error : fault(Reason.INTERNAL, doing, { cause: error }) };
  }
}

async function placeAndEnd(deps: MoveDeps, instance: Instance, held: WitnessCopy): Promise<MoveOutcome> {
  const { id, nodeId: from, witnessNodeId } = instance;
  const tried = [from];
  let copy = held;
  let why: Fault | undefined;
  for (let tries = 0; tries < CANDIDATES_MAX; tries++) {
    // Somebody may have claimed the next generation already and not got any further.
    if (tried.includes(copy.nodeId)) {
      const next = nextNode(deps, copy, tried, witnessNodeId);
      if (typeof next !== "string") {
        why ??= next;
        break;
      }
      copy = await deps.actions.claim(witnessNodeId, copy, next);
    }
    const failure = await startReady(deps, copy, witnessNodeId);
    if (failure === undefined) {
      await deps.actions.fence(from, id, copy.generation);
      return { kind: "moved", nodeId: copy.nodeId, generation: copy.generation };
    }
    why = failure;
    tried.push(copy.nodeId);
  }
  if (copy.generation > instance.generation) await deps.actions.keepHere(witnessNodeId, copy, instance);
  return { kind: "stayed", why: why ?? fault(Reason.NO_NODE_FITS, `Cannot move instance "${id}": no node fits`) };
}

/** The next node to try, or why there is none. */
function nextNode(
  deps: MoveDeps,
  copy: WitnessCopy,
  tried: readonly string[],
  witnessNodeId: string,
): string | Fault | undefined {
  try {
    return bestCandidate(deps.candidates(copy, tried), witnessNodeId);
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
}

/** Starts the generation of a copy and waits until it is ready; answers why not otherwise. */
async function startReady(deps: MoveDeps, copy: WitnessCopy, witnessNodeId: string): Promise<Fault | undefined> {
  const { instanceId, nodeId, generation } = copy;
  let started: Instance;
  try {
    const outcome = await deps.actions.start(copy, witnessNodeId);
    if (outcome.kind !== "started") return outcome.why;
    started = outcome.instance;
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
  if (hasBegun(started)) return undefined;
  const now = (): Instance => {
    const node = deps.fleet.node(nodeId);
    const known = node === undefined ? undefined : ledgerValue(node.fold.instances, instanceId);
    return known?.generation === generation ? known.whole() : started;
  };
  await untilFleet(deps, deps.readyTimeoutMs, () => hasBegun(now()) || hasEnded(now()));
  if (hasBegun(now())) return undefined;
  return fault(
    Reason.START_TIMED_OUT,
    `Cannot move instance "${instanceId}": it does not become ready on node "${nodeId}"`,
    { subject: instanceId },
  );
}
