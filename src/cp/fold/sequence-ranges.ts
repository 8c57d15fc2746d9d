/** Which sequence numbers have been seen beyond the coverage. Pure. */

/** All sequence numbers in `(after, to]`. */
export type SequenceRange = { readonly after: bigint; readonly to: bigint };

/** Adds a range; the answer is ascending, its ranges neither overlap nor touch, and there are at most `max` (the lowest). */
export function addRange(
  ranges: readonly SequenceRange[],
  added: SequenceRange,
  max: number,
): readonly SequenceRange[] {
  if (added.to <= added.after) return ranges;
  let { after, to } = added;
  const apart: SequenceRange[] = [];
  for (const range of ranges) {
    if (range.to < after || range.after > to) apart.push(range);
    else {
      if (range.after < after) after = range.after;
      if (range.to > to) to = range.to;
    }
  }
  apart.push({ after, to });
  return apart.sort((a, b) => (a.after < b.after ? -1 : 1)).slice(0, max);
}

/** Where coverage from `from` ends when the ranges are joined to it, and the ranges that lie beyond. */
export function extendCoverage(
  from: bigint,
  ranges: readonly SequenceRange[],
): { readonly coverage: bigint; readonly beyond: readonly SequenceRange[] } {
  let coverage = from;
  const beyond: SequenceRange[] = [];
  for (const range of ranges) {
    if (range.after > coverage) beyond.push(range);
    else if (range.to > coverage) coverage = range.to;
  }
  return { coverage, beyond };
}
