/** The newest facts of one node, over all its lives. Pure. */
import type { Fact } from "../../gen/wasmatrix/v1/fact_pb.ts";

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
  held: readonly Fact[],
  added: readonly Fact[],
  max: number,
): { readonly facts: readonly Fact[]; readonly news: readonly Fact[] } {
  const unseen = new Map<string, Fact>();
  for (const fact of added) if (!holds(held, fact)) unseen.set(`${fact.epoch}/${fact.sequence}`, fact);
  if (unseen.size === 0) return { facts: held.length > max ? held.slice(-max) : held, news: [] };
  const facts = [...held, ...unseen.values()];
  const last = held.at(-1);
  const fresh = [...unseen.values()].sort(compareFacts);
  const first = fresh[0];
  // Almost always the new ones follow the held ones, already in order.
  if (last && first && compareFacts(last, first) < 0) facts.splice(held.length, fresh.length, ...fresh);
  else facts.sort(compareFacts);
  const kept = facts.slice(-max);
  const oldest = kept[0];
  return { facts: kept, news: oldest ? fresh.filter((fact) => compareFacts(fact, oldest) >= 0) : [] };
}

function holds(facts: readonly Fact[], fact: Fact): boolean {
  const before = facts[firstAfter(facts, fact) - 1];
  return before !== undefined && compareFacts(before, fact) === 0;
}
