/**
 * Lets callers read what they wrote: after an agent has answered an order, waits until the agent's report of it has
 * been folded in. Nothing is added to the fold that was not reported; `DESIGN.md` says why.
 */
import type { Clock } from "../clock.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
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

/** Makes an echo of orders. */
export function createOrderEcho(deps: OrderEchoDeps): OrderEcho {
  return {
    async afterReport(instanceId, order, instanceOf) {
      // Reports may overtake the answer, and the instance may move on meanwhile: so all its states since are noted.
      const reported: Instance[] = [];
      let look = (): void => undefined;
      const unsubscribe = deps.fleet.onChange(({ node, news, withSnapshot }) => {
        for (const { instance } of news)
          if (instance?.id === instanceId && reported.length < STATES_MAX) reported.push(instance);
        const held = news.length === 0 || withSnapshot ? ledgerValue(node.fold.instances, instanceId) : undefined;
        if (held && reported.length < STATES_MAX) reported.push(held);
        look();
      });
      try {
        const answer = await order();
        const left = instanceOf(answer);
        if (!left) return answer;
        const held = deps.fleet.node(left.nodeId);
        const known = held && ledgerValue(held.fold.instances, instanceId);
        if (known && isSameState(known, left)) return answer;
        await new Promise<void>((resolve) => {
          const cancel = deps.clock.after(deps.timeoutMs, resolve);
          look = () => {
            if (!reported.some((each) => isSameState(each, left))) return;
            cancel();
            resolve();
          };
          look();
        });
        return answer;
      } finally {
        unsubscribe();
      }
    },
  };
}

const STATES_MAX = 100;

function isSameState(a: Instance, b: Instance): boolean {
  return (
    a.generation === b.generation &&
    a.state === b.state &&
    a.restartCount === b.restartCount &&
    sameAssignments(a.assignments, b.assignments)
  );
}
