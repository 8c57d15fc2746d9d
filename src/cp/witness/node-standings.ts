/** Keeps the standing of every node, and tells whose has changed: silence makes no report. */
import type { Fleet } from "../fleet.ts";
import type { SilencePolicy } from "../fleet-view.ts";
import { standingOf, type NodesPicture, type NodeStanding } from "./fleet-picture.ts";

/** See the top of the file. */
export interface NodeStandings {
  /** As of the last look. */
  readonly nodes: NodesPicture;
  /** Looks at the nodes that have reported since, and now and then at all; answers those of which something has changed. */
  look(moment: { readonly steadyMs: number; readonly unbrokenMs: number }): Iterable<string>;
  /** May be called twice. */
  close(): void;
}

/** What watching needs. */
export type NodeStandingsDeps = { readonly fleet: Fleet; readonly silence: SilencePolicy };

/** All nodes are looked at this often at most. */
const SWEEP_MS = 500;
/** With fewer nodes that stay, one more or less may change what is right for any instance. */
const FEW = 2;

type Seen = { readonly standing: NodeStanding; readonly isLeaving: boolean };

/** Begins to watch a fleet that holds nothing yet. */
export function watchStandings({ fleet, silence }: NodeStandingsDeps): NodeStandings {
  const seen = new Map<string, Seen>();
  const reported = new Set<string>();
  /** Nodes that report and are not about to go. */
  const staying = new Set<string>();
  let sweptMs = Number.NEGATIVE_INFINITY;
  const unlisten = [
    fleet.onChange(({ node }) => void reported.add(node.nodeId)),
    fleet.onForgotten(({ nodeId }) => void reported.add(nodeId)),
  ];

  /** Whether anything has changed. */
  const note = (nodeId: string, now: Seen | undefined): boolean => {
    const before = seen.get(nodeId);
    if (now) seen.set(nodeId, now);
    else seen.delete(nodeId);
    if (now?.standing === "heard" && !now.isLeaving) staying.add(nodeId);
    else staying.delete(nodeId);
    return before?.standing !== now?.standing || before?.isLeaving !== now?.isLeaving;
  };

  return {
    nodes: {
      standing: (nodeId) => seen.get(nodeId)?.standing ?? "gone",
      isLeaving: (nodeId) => seen.get(nodeId)?.isLeaving === true,
      hasOther: (nodeId) => staying.size > (staying.has(nodeId) ? 1 : 0),
    },
    look(moment) {
      const isSweep = moment.steadyMs - sweptMs >= SWEEP_MS;
      if (isSweep) sweptMs = moment.steadyMs;
      const before = staying.size;
      const changed: string[] = [];
      for (const nodeId of isSweep ? new Set([...seen.keys(), ...reported]) : reported) {
        const node = fleet.node(nodeId);
        const now = node && {
          standing: standingOf(node, moment, silence),
          isLeaving: node.fold.announced.info.cordoned,
        };
        if (note(nodeId, now)) changed.push(nodeId);
      }
      reported.clear();
      const isSmall = Math.min(before, staying.size) <= FEW && before !== staying.size;
      return isSmall ? [...fleet.nodes()].map(({ nodeId }) => nodeId) : changed;
    },
    close() {
      for (const each of unlisten) each();
    },
  };
}
