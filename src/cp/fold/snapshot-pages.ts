/** Snapshots of which not all pages have arrived yet. Pure. */
import type { Snapshot } from "../../gen/wasmatrix/v1/fact_pb.ts";

/** A snapshot in the making. */
export type PendingSnapshot = {
  readonly sequence: bigint;
  readonly pageCount: number;
  readonly pages: ReadonlyMap<number, Snapshot>;
};

/** Adds a page to its snapshot. At most `max` snapshots are kept: the ones of the highest sequence numbers. */
export function addPage(pending: readonly PendingSnapshot[], page: Snapshot, max: number): readonly PendingSnapshot[] {
  if (page.page >= page.pageCount) return pending;
  const same = (each: PendingSnapshot): boolean => each.sequence === page.sequence && each.pageCount === page.pageCount;
  const pages = new Map(pending.find(same)?.pages);
  pages.set(page.page, page);
  const { sequence, pageCount } = page;
  return [...pending.filter((each) => !same(each)), { sequence, pageCount, pages }].sort(byAge).slice(-max);
}

/** The newest snapshot that has all its pages. */
export function newestWhole(pending: readonly PendingSnapshot[]): PendingSnapshot | undefined {
  return pending.findLast((each) => each.pages.size === each.pageCount);
}

function byAge(a: PendingSnapshot, b: PendingSnapshot): number {
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return a.pageCount - b.pageCount;
}
