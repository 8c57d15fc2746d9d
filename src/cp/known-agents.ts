/**
 * The agents that this control plane goes to by itself: those of a static list, and those that a discovery store names. It
 * reads their reports, and says which of them are still awaited.
 */
import type { NodeEntry } from "../discovery/discovery-entry.ts";
import type { DiscoveryHealth } from "../discovery/discovery-store.ts";
import type { Directory } from "../discovery/directory.ts";
import { createReportStreams, type ReportStreamsDeps } from "./report-streams.ts";

/** What is needed to know agents. */
export type KnownAgentsDeps = ReportStreamsDeps & {
  /** Base URLs. */
  readonly staticAgents: readonly string[];
  /** Opens the directory of a discovery store, if there is one. */
  readonly openDirectory: ((onNodes: (nodes: readonly NodeEntry[]) => void) => Directory) | undefined;
  /** How long after the start an agent that says nothing is awaited. */
  readonly awaitMs: number;
};

/** An agent that has never been heard here. */
export type UnheardAgent = {
  /** Empty if only its address is known. */
  readonly nodeId: string;
  readonly address: string;
  /** Since when it is known, by the steady clock. */
  readonly sinceSteadyMs: number;
};

/** See the top of the file. */
export interface KnownAgents {
  /** Health of the discovery store; undefined if there is none. */
  discovery(): DiscoveryHealth | undefined;
  /** Names (node ids where they are known, else addresses) of agents that have not said anything yet, while they are awaited. */
  awaited(): readonly string[];
  /** Whether there is a list or a store that was reached, and every agent that it names has been heard. */
  areAllHeard(): boolean;
  /** All agents that have not said anything yet, by address. */
  unheard(): readonly UnheardAgent[];
  /** May be called twice. */
  close(): Promise<void>;
}

/** Starts to read. */
export function createKnownAgents(deps: KnownAgentsDeps): KnownAgents {
  const streams = createReportStreams(deps);
  const startedMs = deps.clock.steadyMs();
  /** Since when agents are known, by address. */
  const sinceMs = new Map<string, number>();
  const listed = new Set(deps.staticAgents);
  /** Node ids by address. */
  let named: ReadonlyMap<string, string> = new Map();
  const follow = (addresses: ReadonlySet<string>): void => {
    for (const address of sinceMs.keys()) if (!addresses.has(address)) sinceMs.delete(address);
    for (const address of addresses) sinceMs.set(address, sinceMs.get(address) ?? deps.clock.steadyMs());
    streams.follow(addresses);
  };
  follow(listed);
  const directory = deps.openDirectory?.((nodes) => {
    named = new Map(nodes.map(({ address, nodeId }) => [address, nodeId]));
    follow(new Set([...listed, ...named.keys()]));
  });
  return {
    discovery: () => directory?.health,
    areAllHeard: () =>
      (directory === undefined ? listed.size > 0 : directory.health.kind === "reached") &&
      streams.unanswered().length === 0,
    awaited: () =>
      deps.clock.steadyMs() - startedMs > deps.awaitMs
        ? []
        : streams.unanswered().map((address) => named.get(address) ?? address),
    unheard: () =>
      streams
        .unanswered()
        .map((address) => ({
          nodeId: named.get(address) ?? "",
          address,
          sinceSteadyMs: sinceMs.get(address) ?? startedMs,
        }))
        .toSorted((a, b) => (a.address < b.address ? -1 : 1)),
    async close() {
      streams.close();
      await directory?.close();
    },
  };
}
