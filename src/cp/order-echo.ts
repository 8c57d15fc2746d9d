/**
 * Lets callers read what they wrote: after an agent has answered an order, waits until the agent's report of it has
 * been folded in. Nothing is added to the fold that was not reported; `DESIGN.md` says why.
 */
import type { Clock } from "../clock.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import { ledgerValue } from "./fold/ledger.ts";
import type { Fleet } from "./fleet.ts";
import { sameAssignments } from "./same-assignments.ts";

/** Waits for reports about orders. */
export interface OrderEcho {
  /**
   * Gives an order about one instance and answers what it answered, as soon as the fold has passed through the state in
   * which it left the instance (`instanceOf`; undefined: nothing to wait for). Waits at most `timeoutMs`: an agent that
   * cannot report to us now will do so later.
   */
  afterReport<T>(
    instanceId: string,
    order: () => Promise<T>,
    instanceOf: (answer: T) => Instance | undefined,
  ): Promise<T>;
}

/** What waiting needs. */
export type OrderEchoDeps = { readonly fleet: Fleet; readonly clock: Clock; readonly timeoutMs: number };

/** Somebody who waits for one instance, and the states of it that were reported since. */
type Waiter = { readonly reported: HeldInstance[]; look: () => void };

/** Makes an echo of orders. A report costs what it tells of, however many wait. */
export function createOrderEcho(deps: OrderEchoDeps): OrderEcho {
  const waiters = new Map<string, Set<Waiter>>();
  const note = (instance: HeldInstance | undefined, told: Set<Waiter>): void => {
    for (const waiter of (instance && waiters.get(instance.id)) ?? []) {
      if (instance && waiter.reported.length < STATES_MAX) waiter.reported.push(instance);
      told.add(waiter);
    }
  };
  deps.fleet.onChange(({ news, instances }) => {
    if (waiters.size === 0) return;
    const told = new Set<Waiter>();
    for (const { instance } of news) note(instance, told);
    for (const { after } of instances) note(after, told);
    for (const waiter of told) waiter.look();
  });
  const begin = (instanceId: string): { readonly waiter: Waiter; readonly end: () => void } => {
    const waiter: Waiter = { reported: [], look: () => undefined };
    const others = waiters.get(instanceId) ?? new Set();
    waiters.set(instanceId, others.add(waiter));
    const end = (): void => {
      others.delete(waiter);
      if (others.size === 0 && waiters.get(instanceId) === others) waiters.delete(instanceId);
    };
    return { waiter, end };
  };

  return {
    async afterReport(instanceId, order, instanceOf) {
      // Reports may overtake the answer, and the instance may move on meanwhile: so all its states since are noted.
      const { waiter, end } = begin(instanceId);
      try {
        const answer = await order();
        const left = instanceOf(answer);
        if (!left) return answer;
        const held = deps.fleet.node(left.nodeId);
        const known = held && ledgerValue(held.fold.instances, instanceId);
        if (known && isSameState(known, left)) return answer;
        await new Promise<void>((resolve) => {
          const cancel = deps.clock.after(deps.timeoutMs, resolve);
          waiter.look = () => {
            if (!waiter.reported.some((each) => isSameState(each, left))) return;
            cancel();
            resolve();
          };
          waiter.look();
        });
        return answer;
      } finally {
        end();
      }
    },
  };
}

const STATES_MAX = 100;

function isSameState(held: HeldInstance, left: Instance): boolean {
  if (held.generation !== left.generation || held.state !== left.state) return false;
  const { restartCount, assignments } = held.whole();
  return restartCount === left.restartCount && sameAssignments(assignments, left.assignments);
}
