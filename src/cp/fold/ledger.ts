/**
 * What is held of one kind of thing (instances, providers) on one node. Pure.
 *
 * `settled` is the state as of the coverage: all that happened until then is in it. `ahead` holds what is known of
 * later moments while facts in between are missing; its entries hide settled ones, so no id is in both.
 */

/** Things by id. Immutable: every function answers a new one, or the same if nothing changed. */
export type Ledger<T> = {
  readonly settled: ReadonlyMap<string, T>;
  readonly ahead: ReadonlyMap<string, AheadEntry<T>>;
};

/** A thing as it was just after one sequence number; `value` is undefined if it was forgotten. */
export type AheadEntry<T> = { readonly sequence: bigint; readonly value: T | undefined };

/** A ledger that holds nothing. */
export function emptyLedger<T>(): Ledger<T> {
  return { settled: new Map(), ahead: new Map() };
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
  for (const entry of ledger.ahead.values()) if (entry.value === undefined) forgotten += 1;
  return ledger.settled.size + ledger.ahead.size - forgotten;
}

/**
 * Takes in changes; of two of one id the later stays. Those that `coverage` reaches are settled at once, so that the usual
 * report, which follows on the one before, costs one copy. The caller leaves out those that the coverage had before.
 */
export function record<T>(
  ledger: Ledger<T>,
  changes: ReadonlyMap<string, AheadEntry<T>>,
  coverage: bigint | undefined,
): Ledger<T> {
  if (changes.size === 0) return ledger;
  const settled = new Map(ledger.settled);
  const ahead = new Map(ledger.ahead);
  for (const [id, change] of changes) {
    const held = ahead.get(id);
    if (held && held.sequence >= change.sequence) continue;
    if (coverage !== undefined && change.sequence <= coverage) {
      ahead.delete(id);
      if (change.value === undefined) settled.delete(id);
      else settled.set(id, change.value);
    } else {
      ahead.set(id, change);
      settled.delete(id);
    }
  }
  return { settled, ahead };
}

/** Moves what is ahead into the settled state as the coverage reaches it. */
export function settle<T>(ledger: Ledger<T>, coverage: bigint): Ledger<T> {
  const reached = [...ledger.ahead].filter(([, entry]) => entry.sequence <= coverage);
  if (reached.length === 0) return ledger;
  const settled = new Map(ledger.settled);
  const ahead = new Map(ledger.ahead);
  for (const [id, entry] of reached) {
    ahead.delete(id);
    if (entry.value !== undefined) settled.set(id, entry.value);
  }
  return { settled, ahead };
}

/** Replaces the settled state by a whole snapshot as of `sequence`; what is known of later moments stays. */
export function rebase<T>(ledger: Ledger<T>, values: ReadonlyMap<string, T>, sequence: bigint): Ledger<T> {
  const ahead = new Map([...ledger.ahead].filter(([, entry]) => entry.sequence > sequence));
  const settled = new Map([...values].filter(([id]) => !ahead.has(id)));
  return { settled, ahead };
}

/** Keeps at most `max` things: later changes first, then `keepFirst` ones, then by id. */
export function bounded<T>(ledger: Ledger<T>, max: number, keepFirst: (value: T) => boolean): Ledger<T> {
  if (ledger.settled.size + ledger.ahead.size <= max) return ledger;
  const ahead = [...ledger.ahead].sort(([, a], [, b]) => (a.sequence > b.sequence ? -1 : 1)).slice(0, max);
  const settled = [...ledger.settled].sort(
    ([idA, a], [idB, b]) => Number(keepFirst(b)) - Number(keepFirst(a)) || (idA < idB ? -1 : 1),
  );
  return { settled: new Map(settled.slice(0, max - ahead.length)), ahead: new Map(ahead) };
}
