/** Makes sure, before an instance is placed, that its key is placed nowhere else: asks the homes of its id. */
import type { CallOptions } from "@connectrpc/connect";
import { isFault, Reason } from "../../fault.ts";
import type { Fleet } from "../fleet.ts";
import type { NodeAgents } from "../node-agents.ts";
import { homesOf, verdictOfHomes } from "./placement-homes.ts";

/** What reserving needs. */
export type ReservationDeps = {
  readonly fleet: Fleet;
  readonly agents: NodeAgents;
  /** For one home to answer. */
  readonly timeoutMs: number;
};

/** What is to be reserved. */
export type ReservationOrder = {
  readonly instanceId: string;
  readonly nodeId: string;
  /** The node of an earlier reservation that surely did not start the instance; empty for none. */
  readonly refusedByNodeId: string;
  /** Whether nobody else can have ordered it yet. */
  readonly isFirst: boolean;
};

/** Where the instance goes, or `undefined` if too few of its homes can be asked. */
export async function reservePlacement(
  deps: ReservationDeps,
  wanted: ReservationOrder,
  call: CallOptions,
): Promise<string | undefined> {
  const { instanceId } = wanted;
  const known = [...deps.fleet.nodes()].filter(({ fold }) => !fold.leaving).map(({ nodeId }) => nodeId);
  const homes = homesOf(instanceId, known);
  // The one node of a fleet is idempotent by itself.
  if (homes.length === 1 && known.length === 1 && homes[0] === wanted.nodeId) return wanted.nodeId;
  type Asked = Omit<ReservationOrder, "isFirst">;
  const ask = (home: string, asked: Asked): Promise<string | undefined> =>
    deps.agents
      .fleetOrder(home, `Cannot reserve a place for instance "${instanceId}"`, (agent) =>
        agent.reservePlacement(asked, { ...call, timeoutMs: deps.timeoutMs }),
      )
      .then(
        ({ nodeId }) => nodeId,
        (error: unknown) => {
          // An older agent keeps no reservations: it counts as one that agrees.
          if (isFault(error, Reason.UNIMPLEMENTED)) return asked.nodeId;
          // Lost: why this home is silent. What matters is that it is.
          return undefined;
        },
      );
  // Who refused it must go on refusing, as somebody else may still be on his way there, or has been there since.
  const refuser = wanted.refusedByNodeId;
  const asked = { instanceId, nodeId: wanted.nodeId, refusedByNodeId: refuser };
  const told = refuser === "" ? asked.nodeId : await ask(refuser, asked);
  if (told === refuser || (told === undefined && !wanted.isFirst)) return told;
  const order = { ...asked, nodeId: told ?? asked.nodeId };
  const answers = await Promise.all(homes.map((home) => ask(home, order)));
  const verdict = verdictOfHomes(answers);
  if (verdict.kind === "decided") return verdict.nodeId;
  if (verdict.kind === "unsure") return undefined;
  const { nodeId } = verdict;
  const again = await Promise.all(
    homes.map((home, index) =>
      answers[index] === nodeId
        ? Promise.resolve(nodeId)
        : ask(home, { ...order, nodeId, refusedByNodeId: answers[index] ?? "" }),
    ),
  );
  const final = verdictOfHomes(again);
  return final.kind === "decided" ? final.nodeId : undefined;
}
