/**
 * What is held of one kind of thing (instances, providers) on one node. Pure.
 *
 * `settled` is the state as of the coverage: all that happened until then is in it. `ahead` holds what is known of
 * later moments while facts in between are missing; its entries hide settled ones, so no id is in both.
 */
import { VersionMap, type MapChange } from "./version-map.ts";

/** Things by id. Immutable: every function answers a new one, or the same if nothing changed, at the cost of what changes. */
export type Ledger<T> = {
  readonly settled: VersionMap<string, T>;
  readonly ahead: VersionMap<string, AheadEntry<T>>;
};

/** A thing as it was just after one sequence number; `value` is undefined if it was forgotten. */
export type AheadEntry<T> = { readonly sequence: bigint; readonly value: T | undefined };

/** What became of one id. */
export type LedgerChange<T> = { readonly id: string; readonly before: T | undefined; readonly after: T | undefined };

/** A ledger that holds nothing. */
export function emptyLedger<T>(): Ledger<T> {
  return { settled: VersionMap.from(), ahead: VersionMap.from() };
}

/** All things, settled or ahead. */
export function* ledgerValues<T>(ledger: Ledger<T>): Generator<T> {
  yield* ledger.settled.values();
  for (const entry of ledger.ahead.values()) if (entry.value !== undefined) yield entry.value;
}

/** The ids of all things, settled or ahead. */
export function* ledgerIds<T>(ledger: Ledger<T>): Generator<string> {
  yield* ledger.settled.keys();
  for (const [id, entry] of ledger.ahead) if (entry.value !== undefined) yield id;
}

/** One thing, if it is held. */
export function ledgerValue<T>(ledger: Ledger<T>, id: string): T | undefined {
  const ahead = ledger.ahead.get(id);
  return ahead ? ahead.value : ledger.settled.get(id);
}

/** How many things are held. */
export function ledgerSize<T>(ledger: Ledger<T>): number {
  let forgotten = 0;
  if (ledger.ahead.size > 0) for (const entry of ledger.ahead.values()) if (entry.value === undefined) forgotten += 1;
  return ledger.settled.size + ledger.ahead.size - forgotten;
}

/** What became of these ids between two ledgers; ids that are held alike are left out. */
export function ledgerChanges<T>(
  before: Ledger<T> | undefined,
  after: Ledger<T>,
  ids: Iterable<string>,
): readonly LedgerChange<T>[] {
  if (before === after) return [];
  // One version after the other, because going to and fro between two versions costs their difference each time.
  const changes = [...ids].map((id) => ({
    id,
    before: before && ledgerValue(before, id),
    after: undefined as T | undefined,
  }));
  for (const change of changes) change.after = ledgerValue(after, change.id);
  return changes.filter((change) => change.before !== change.after);
}

/**
 * Takes in changes; of two of one id the later stays. Those that `coverage` reaches are settled at once, so that the usual
 * report, which follows on the one before, is one step. The caller leaves out those that the coverage had before.
 */
export function record<T>(
  ledger: Ledger<T>,
  changes: ReadonlyMap<string, AheadEntry<T>>,
  coverage: bigint | undefined,
): Ledger<T> {
  if (changes.size === 0) return ledger;
  const settled: MapChange<string, T>[] = [];
  const ahead: MapChange<string, AheadEntry<T>>[] = [];
  for (const [id, change] of changes) {
    const held = ledger.ahead.get(id);
    if (held && held.sequence >= change.sequence) continue;
    if (coverage !== undefined && change.sequence <= coverage) {
      if (held) ahead.push([id, undefined]);
      settled.push([id, change.value]);
    } else {
      ahead.push([id, change]);
      settled.push([id, undefined]);
    }
  }
  return { settled: ledger.settled.with(settled), ahead: ledger.ahead.with(ahead) };
}

/** Moves what is ahead into the settled state as the coverage reaches it. */
export function settle<T>(ledger: Ledger<T>, coverage: bigint): Ledger<T> {
  if (ledger.ahead.size === 0) return ledger;
  const reached = ledger.ahead.entries().filter(([, entry]) => entry.sequence <= coverage);
  if (reached.length === 0) return ledger;
  const settled = reached.flatMap(([id, { value }]): MapChange<string, T>[] =>
    value === undefined ? [] : [[id, value]],
  );
  return { settled: ledger.settled.with(settled), ahead: ledger.ahead.with(reached.map(([id]) => [id, undefined])) };
}

/** Replaces the settled state by a whole snapshot as of `sequence`; what is known of later moments stays. */
export function rebase<T>(ledger: Ledger<T>, values: Iterable<readonly [string, T]>, sequence: bigint): Ledger<T> {
  const ahead = ledger.ahead.entries().filter(([, entry]) => entry.sequence > sequence);
  const settled = VersionMap.from(values).with(ahead.map(([id]) => [id, undefined]));
  return { settled, ahead: VersionMap.from(ahead) };
}

/** Keeps at most `max` things: later changes first, then `keepFirst` ones, then by id. */
export function bounded<T>(ledger: Ledger<T>, max: number, keepFirst: (value: T) => boolean): Ledger<T> {
  if (ledger.settled.size + ledger.ahead.size <= max) return ledger;
  const ahead = [...ledger.ahead].sort(([, a], [, b]) => (a.sequence > b.sequence ? -1 : 1)).slice(0, max);
  const settled = [...ledger.settled].sort(
    ([idA, a], [idB, b]) => Number(keepFirst(b)) - Number(keepFirst(a)) || (idA < idB ? -1 : 1),
  );
  return { settled: VersionMap.from(settled.slice(0, max - ahead.length)), ahead: VersionMap.from(ahead) };
}
