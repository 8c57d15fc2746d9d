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

/** See the top of the file. */
export interface KnownAgents {
  /** Health of the discovery store; undefined if there is none. */
  discovery(): DiscoveryHealth | undefined;
  /** Names (node ids where they are known, else addresses) of agents that have not said anything yet, while they are awaited. */
  awaited(): readonly string[];
  /** May be called twice. */
  close(): Promise<void>;
}

/** Starts to read. */
export function createKnownAgents(deps: KnownAgentsDeps): KnownAgents {
  const streams = createReportStreams(deps);
  const startedMs = deps.clock.steadyMs();
  const listed = new Set(deps.staticAgents);
  /** Node ids by address. */
  let named: ReadonlyMap<string, string> = new Map();
  streams.follow(listed);
  const directory = deps.openDirectory?.((nodes) => {
    named = new Map(nodes.map(({ address, nodeId }) => [address, nodeId]));
    streams.follow(new Set([...listed, ...named.keys()]));
  });
  return {
    discovery: () => directory?.health,
    awaited: () =>
      deps.clock.steadyMs() - startedMs > deps.awaitMs
        ? []
        : streams.unanswered().map((address) => named.get(address) ?? address),
    async close() {
      streams.close();
      await directory?.close();
    },
  };
}
