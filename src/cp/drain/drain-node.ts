/** Empties a node: cordons it, and moves what may move, a few at a time. */
import { sleep, type Clock } from "../../clock.ts";
import { fault, Reason } from "../../fault.ts";
import { InstanceState, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { Fleet } from "../fleet.ts";
import { ledgerValues } from "../fold/ledger.ts";
import { hasEnded } from "../instance-life.ts";
import { untilFleet } from "../until-fleet.ts";
import { isMovable, type MoveOutcome } from "./move-instance.ts";

/** What draining needs. */
export type DrainDeps = {
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** Makes the node take no new instances; resolves when the node's report says so. */
  readonly cordon: (nodeId: string) => Promise<void>;
  /** Never rejects. */
  readonly move: (instance: Instance) => Promise<MoveOutcome>;
  /** Something is said at least so often. */
  readonly keepAliveMs: number;
};

/** What is to be drained. */
export type DrainOrder = {
  readonly nodeId: string;
  /** After this no move begins. */
  readonly timeoutMs: number;
  /** The caller has gone away: no move begins any more. */
  readonly signal: AbortSignal;
};

/** One step of a drain. */
export type DrainStep =
  | { readonly kind: "begun"; readonly instances: number; readonly movable: number }
  /** Nothing has happened for a while. */
  | { readonly kind: "waiting" }
  | { readonly kind: "outcome"; readonly instance: Instance; readonly outcome: MoveOutcome }
  | { readonly kind: "finished"; readonly moved: number; readonly stayed: number; readonly witnessCopies: number };

/** Moves under way at once. */
const MOVES_AT_ONCE = 8;
/** For other nodes to take over the start orders that this one keeps. */
const WITNESSES_LEAVE_MS = 15_000;

/** Drains; moves that have begun are finished also if nobody reads on. Throws what cordoning throws. */
export async function* drainNode(deps: DrainDeps, order: DrainOrder): AsyncGenerator<DrainStep> {
  const { nodeId, signal } = order;
  const untilMs = deps.clock.steadyMs() + order.timeoutMs;
  await deps.cordon(nodeId);
  const live = liveOn(deps.fleet, nodeId);
  const movable = live.filter(isMovable);
  yield { kind: "begun", instances: live.length, movable: movable.length };

  let moved = 0;
  let stayed = 0;
  const counted = (step: Extract<DrainStep, { kind: "outcome" }>): DrainStep => {
    if (step.outcome.kind === "moved") moved += 1;
    else stayed += 1;
    return step;
  };
  for (const instance of live)
    if (!isMovable(instance)) yield counted({ kind: "outcome", instance, outcome: await deps.move(instance) });

  const waiting = [...movable];
  const done: Extract<DrainStep, { kind: "outcome" }>[] = [];
  let underWay = 0;
  let wake = (): void => {};
  const move = async (instance: Instance): Promise<void> => {
    underWay += 1;
    const outcome = await deps.move(instance);
    underWay -= 1;
    done.push({ kind: "outcome", instance, outcome });
    wake();
  };
  for (;;) {
    // oxlint-disable-next-line eslint/no-unmodified-loop-condition -- each move counts itself in
    while (underWay < MOVES_AT_ONCE && !signal.aborted && deps.clock.steadyMs() < untilMs) {
      const instance = waiting.shift();
      if (instance === undefined) break;
      void move(instance);
    }
    const next = done.shift();
    if (next !== undefined) yield counted(next);
    else if (underWay === 0) break;
    else if (!(await heardWithin(deps, new Promise<void>((resolve) => (wake = resolve))))) yield { kind: "waiting" };
  }
  for (const instance of waiting) yield counted({ kind: "outcome", instance, outcome: outOfTime(instance) });

  const copies = (): number => copiesOn(deps.fleet, nodeId);
  const leftMs = Math.max(0, Math.min(WITNESSES_LEAVE_MS, untilMs - deps.clock.steadyMs()));
  const empty = untilFleet(deps, leftMs, () => copies() === 0 || signal.aborted);
  while (!(await heardWithin(deps, empty))) yield { kind: "waiting" };
  yield { kind: "finished", moved, stayed, witnessCopies: copies() };
}

/** Whether `news` came before it is time to say that nothing has. */
async function heardWithin({ clock, keepAliveMs }: DrainDeps, news: Promise<unknown>): Promise<boolean> {
  const heard = new AbortController();
  const idle = sleep(clock, keepAliveMs, heard.signal).then(() => false);
  try {
    return await Promise.race([news.then(() => true), idle]);
  } finally {
    heard.abort();
  }
}

/** By id. What is being stopped ends by itself. */
function liveOn(fleet: Fleet, nodeId: string): readonly Instance[] {
  const node = fleet.node(nodeId);
  return [...(node === undefined ? [] : ledgerValues(node.fold.instances))]
    .filter((instance) => !hasEnded(instance) && instance.state !== InstanceState.STOPPING)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((held) => held.whole());
}

function copiesOn(fleet: Fleet, nodeId: string): number {
  const node = fleet.node(nodeId);
  return [...(node === undefined ? [] : ledgerValues(node.fold.witnesses))].filter(({ stopped }) => !stopped).length;
}

function outOfTime({ id }: Instance): MoveOutcome {
  const why = fault(
    Reason.CALL_TIMED_OUT,
    `Cannot move instance "${id}": the time for the drain was over before its turn`,
    {
      subject: id,
    },
  );
  return { kind: "stayed", why };
}
