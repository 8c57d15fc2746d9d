/** Snapshots of which not all pages have arrived yet. Pure. */
import type { Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { Provider } from "../../gen/wasmatrix/v1/node_pb.ts";
import type { HeldInstance } from "./held-instance.ts";
import { VersionMap } from "./version-map.ts";

/** One page of all that a node holds as of one sequence number. */
export type SnapshotPage = {
  readonly sequence: bigint;
  readonly page: number;
  readonly pageCount: number;
  readonly instances: readonly HeldInstance[];
  readonly providers: readonly Provider[];
  readonly witnesses: readonly Witness[];
};

/** A snapshot in the making. */
export type PendingSnapshot = {
  readonly sequence: bigint;
  readonly pageCount: number;
  readonly pages: VersionMap<number, SnapshotPage>;
};

/** Adds a page to its snapshot. At most `max` snapshots are kept: the ones of the highest sequence numbers. */
export function addPage(
  pending: readonly PendingSnapshot[],
  page: SnapshotPage,
  max: number,
): readonly PendingSnapshot[] {
  if (page.page >= page.pageCount) return pending;
  const same = (each: PendingSnapshot): boolean => each.sequence === page.sequence && each.pageCount === page.pageCount;
  const before = pending.find(same)?.pages ?? VersionMap.from<number, SnapshotPage>();
  const pages = before.with([[page.page, page]]);
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
