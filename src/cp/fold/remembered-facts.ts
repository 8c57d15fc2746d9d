/** The newest facts of one node, over all its lives. Pure. */
import { packedTogether, type HeldFact } from "./held-fact.ts";

/** Where a fact stands among those of its node. */
export type FactOrder = { readonly epoch: string; readonly sequence: bigint };

/** Orders facts of one node: by life, then by number. */
export function compareFacts(a: FactOrder, b: FactOrder): number {
  if (a.epoch !== b.epoch) return a.epoch < b.epoch ? -1 : 1;
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return 0;
}

/** The index of the first fact after `position` in an ascending list. */
export function firstAfter(facts: readonly FactOrder[], position: FactOrder): number {
  let low = 0;
  let high = facts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const fact = facts[middle];
    if (fact && compareFacts(fact, position) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Adds facts, in any order and with duplicates, and keeps the newest `max`. `news` are those that were not held, ascending. */
export function rememberFacts(
  held: readonly HeldFact[],
  added: readonly HeldFact[],
  max: number,
): { readonly facts: readonly HeldFact[]; readonly news: readonly HeldFact[] } {
  const unseen = new Map<string, HeldFact>();
  for (const fact of added) if (!holds(held, fact)) unseen.set(`${fact.epoch}/${fact.sequence}`, fact);
  if (unseen.size === 0) return { facts: held.length > max ? held.slice(-max) : held, news: [] };
  // Almost always the new ones follow the held ones, already in order.
  const fresh = [...unseen.values()].sort(compareFacts);
  const kept = merged(held, fresh, max);
  const oldest = kept[0];
  return { facts: kept, news: oldest ? fresh.filter((fact) => compareFacts(fact, oldest) >= 0) : [] };
}

/** The newest `max` of two ascending lists. */
function merged(held: readonly HeldFact[], fresh: readonly HeldFact[], max: number): readonly HeldFact[] {
  const [last, first] = [held.at(-1), fresh[0]];
  // Only those that stay are worth a memory of their own.
  const own = packedTogether(fresh.slice(-max));
  if (!last || !first || compareFacts(last, first) < 0) {
    const room = max - own.length;
    return room <= 0 ? own : [...held.slice(-room), ...own];
  }
  return [...held, ...own].sort(compareFacts).slice(-max);
}

function holds(facts: readonly HeldFact[], fact: HeldFact): boolean {
  const before = facts[firstAfter(facts, fact) - 1];
  return before !== undefined && compareFacts(before, fact) === 0;
}
