/**
 * What a control plane says of nodes and instances at a moment: what was reported, seen in the light of how long
 * ago that was. Pure.
 */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { InstanceState, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import { NodeSchema, NodeState, type Node } from "../gen/wasmatrix/v1/node_pb.ts";
import type { NodeFold } from "./fold.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import { ledgerValues } from "./fold/ledger.ts";
import { hasEnded } from "./instance-life.ts";

/** When reports of a node arrived, by the control plane's clocks. */
export type NodeTimes = {
  /** The last report of its present life, by the steady clock: silence is measured from here. */
  readonly lastReportSteadyMs: number;
  /** The same by the wall clock, for people. */
  readonly lastReportMs: number;
  /** The last one after which nothing was missing, by the wall clock; undefined if that has never been so. */
  readonly confirmedMs: number | undefined;
};

/** What is held of one node, and since when. */
export type HeldNode = { readonly nodeId: string; readonly fold: NodeFold; readonly times: NodeTimes };

/** After how much silence a node is what. */
export type SilencePolicy = {
  /** More than this since the last report: suspect. */
  readonly suspectAfterMs: number;
  /** More than this: lost. */
  readonly lostAfterMs: number;
};

/** Suspect after one missed report (half an interval of grace for jitter), lost after 10 s, or two intervals if that is longer. */
export function silencePolicyFromInterval(reportIntervalMs: number): SilencePolicy {
  return { suspectAfterMs: reportIntervalMs * 1.5, lostAfterMs: Math.max(10_000, reportIntervalMs * 2) };
}

/** What to make of the node's reports at a moment of the steady clock. */
export function nodeStateAt(node: HeldNode, steadyMs: number, policy: SilencePolicy): NodeState {
  if (node.fold.leaving) return NodeState.LEFT;
  const silentMs = steadyMs - node.times.lastReportSteadyMs;
  if (silentMs > policy.lostAfterMs) return NodeState.LOST;
  return silentMs > policy.suspectAfterMs ? NodeState.SUSPECT : NodeState.AVAILABLE;
}

/** Whether the node reports, or did a moment ago: what was said of its instances still holds. */
export function isHeard(node: HeldNode, steadyMs: number, policy: SilencePolicy): boolean {
  const state = nodeStateAt(node, steadyMs, policy);
  return state === NodeState.AVAILABLE || state === NodeState.SUSPECT;
}

/** Whether the node's first whole snapshot is still awaited. A silent node is not waited for. */
export function isRebuilding(node: HeldNode, steadyMs: number, policy: SilencePolicy): boolean {
  return node.fold.coverage === undefined && isHeard(node, steadyMs, policy);
}

/** An agent that is known by address and has never been heard, as it is answered to callers. */
export function viewUnheard(
  agent: { readonly nodeId: string; readonly address: string; readonly sinceSteadyMs: number },
  steadyMs: number,
  policy: SilencePolicy,
): Node {
  const { nodeId, address, sinceSteadyMs } = agent;
  const state = steadyMs - sinceSteadyMs > policy.lostAfterMs ? NodeState.LOST : NodeState.SUSPECT;
  return create(NodeSchema, { info: { nodeId, address }, state, rebuilding: true });
}

/** The node as it is answered to callers. */
export function viewNode(node: HeldNode, steadyMs: number, policy: SilencePolicy): Node {
  const { fold, times } = node;
  return create(NodeSchema, {
    info: fold.announced.info,
    state: nodeStateAt(node, steadyMs, policy),
    epoch: fold.epoch,
    lastReportTime: timestampFromMs(times.lastReportMs),
    ...(fold.announced.load ? { load: fold.announced.load } : {}),
    providers: [...ledgerValues(fold.providers)].sort((a, b) => (a.id < b.id ? -1 : 1)),
    rebuilding: fold.coverage === undefined,
  });
}

/** The node's instances as they are answered to callers, in no order. */
export function* viewInstances(node: HeldNode, steadyMs: number, policy: SilencePolicy): Generator<Instance> {
  const heard = isHeard(node, steadyMs, policy);
  for (const held of ledgerValues(node.fold.instances)) yield viewInstance(node, held, heard);
}

/** One instance of a node as it is answered to callers. */
export function viewInstance(node: HeldNode, held: HeldInstance, heard: boolean): Instance {
  const observedTime = timestampFromMs(node.times.confirmedMs ?? node.times.lastReportMs);
  return { ...held.whole(), state: viewState(held, heard), observedTime };
}

/** A live instance of a silent node is unknown; one that has ended stays what it was. */
export function viewState(instance: Pick<HeldInstance, "state">, heard: boolean): InstanceState {
  return heard || hasEnded(instance) ? instance.state : InstanceState.UNKNOWN;
}
