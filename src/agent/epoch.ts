/** Names of an agent's lives, which sort by boot order. Pure. */

/** The name of the life that follows one with `lastCounter`, and the counter to remember for the next. */
export function nextEpoch(input: { readonly nowMs: number; readonly lastCounter: number; readonly random: string }): {
  readonly epoch: string;
  readonly counter: number;
} {
  // A clock that went back must not make the new life sort before the old one.
  const counter = Math.max(input.nowMs, input.lastCounter + 1);
  return { epoch: `${counter.toString(36).padStart(COUNTER_DIGITS, "0")}-${input.random}`, counter };
}

/** Enough base-36 digits for milliseconds far beyond any date. */
const COUNTER_DIGITS = 10;
