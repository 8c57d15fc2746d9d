/**
 * Streams remembered facts, then new ones. A watcher has no buffer of its own: it keeps a position in each node's
 * remembered facts and reads on from there when told that there is more, so that a slow one costs nothing but its own gaps.
 */
import { sleep, type Clock } from "../clock.ts";
import type { Fleet } from "./fleet.ts";
import type { HeldFact } from "./fold/held-fact.ts";
import { firstAfter, type FactOrder } from "./fold/remembered-facts.ts";

/** Positions by node id. */
export type FactPositions = ReadonlyMap<string, FactOrder>;

/** Some facts, and where to resume after them. */
export type FactBatch = {
  /** Oldest first within each node; empty if there is nothing new. */
  readonly facts: readonly HeldFact[];
  readonly positions: FactPositions;
  /** Facts before these are no longer remembered, or never came. */
  readonly gap: boolean;
};

/** What to stream. */
export type FactStreamRequest = {
  readonly after: FactPositions;
  /** Whether to go on with new facts. */
  readonly follow: boolean;
  /** Which facts are wanted. */
  readonly wants: (fact: HeldFact) => boolean;
  /** Ends the stream. */
  readonly signal: AbortSignal;
};

/** What streaming needs. */
export type FactStreamDeps = { readonly fleet: Fleet; readonly clock: Clock; readonly keepAliveMs: number };

const BATCH_FACTS_MAX = 500;
const BATCH_MAX_BYTES = 1024 * 1024;

/** The first batch is empty and comes at once; an idle stream carries an empty one every `keepAliveMs`. */
export async function* streamFacts(deps: FactStreamDeps, request: FactStreamRequest): AsyncGenerator<FactBatch> {
  const positions = new Map(request.after);
  const unread = new Set([...deps.fleet.nodes()].map((node) => node.nodeId));
  let wake = new AbortController();
  const unsubscribe = deps.fleet.onChange(({ node, news }) => {
    if (news.length === 0) return;
    unread.add(node.nodeId);
    wake.abort();
  });
  request.signal.addEventListener("abort", unsubscribe, { once: true });
  try {
    yield { facts: [], positions, gap: false };
    while (!request.signal.aborted) {
      const { facts, gap } = readOn(deps.fleet, unread, positions);
      let pendingGap = gap;
      for (const batch of batches(facts)) {
        for (const fact of batch) advance(positions, fact);
        const wanted = batch.filter(request.wants);
        if (wanted.length > 0) yield { facts: wanted, positions, gap: pendingGap };
        if (wanted.length > 0) pendingGap = false;
        if (request.signal.aborted) return;
      }
      if (unread.size > 0) continue;
      if (!request.follow) return;
      wake = new AbortController();
      await sleep(deps.clock, deps.keepAliveMs, AbortSignal.any([wake.signal, request.signal]));
      if (!wake.signal.aborted && !request.signal.aborted) yield { facts: [], positions, gap: false };
    }
  } finally {
    unsubscribe();
  }
}

/** Takes all facts that stand after the positions, merged by time where nodes allow it, and marks their nodes as read. */
function readOn(
  fleet: Fleet,
  unread: Set<string>,
  positions: FactPositions,
): { facts: readonly HeldFact[]; gap: boolean } {
  const found: { readonly fact: HeldFact; readonly timeMs: number }[] = [];
  let gap = false;
  for (const nodeId of unread) {
    const remembered = fleet.node(nodeId)?.fold.facts ?? [];
    let before = positions.get(nodeId);
    let timeMs = 0;
    for (const fact of remembered.slice(before ? firstAfter(remembered, before) : 0)) {
      gap ||= before !== undefined && !follows(fact, before);
      before = fact;
      // A clock that goes back must not turn a node's facts around.
      timeMs = Math.max(timeMs, fact.timeMs);
      found.push({ fact, timeMs });
    }
  }
  unread.clear();
  return { facts: found.sort((a, b) => a.timeMs - b.timeMs).map(({ fact }) => fact), gap };
}

function follows(fact: FactOrder, before: FactOrder): boolean {
  return fact.sequence === (fact.epoch === before.epoch ? before.sequence + 1n : 1n);
}

function advance(positions: Map<string, FactOrder>, { nodeId, epoch, sequence }: HeldFact): void {
  positions.set(nodeId, { epoch, sequence });
}

/** Facts carry whole instances, so a batch is bounded in bytes as well as in number. */
function* batches(facts: readonly HeldFact[]): Generator<readonly HeldFact[]> {
  let batch: HeldFact[] = [];
  let sizeBytes = 0;
  for (const fact of facts) {
    const factBytes = fact.sizeBytes;
    if (batch.length === BATCH_FACTS_MAX || (batch.length > 0 && sizeBytes + factBytes > BATCH_MAX_BYTES)) {
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
    batch.push(fact);
    sizeBytes += factBytes;
  }
  if (batch.length > 0) yield batch;
}
