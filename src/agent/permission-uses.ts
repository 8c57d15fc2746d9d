/** How often each instance used its permissions, and was refused: in memory only, for as long as the agent lives. */
import { create } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import { PermissionUseSchema, type PermissionUse } from "../gen/wasmatrix/v1/instance_pb.ts";

/** One permission, as it is counted. */
export type CountedPermission = {
  readonly permission: string;
  /** For kv; otherwise empty. */
  readonly bucket: string;
};

/** Some operations of one instance. */
export type PermissionCount = CountedPermission & { readonly outcome: "used" | "denied"; readonly count: number };

/** What is kept of one instance. Guests choose names, so beyond these only the beginning of a permission is counted. */
export type PermissionUsesLimits = {
  /** Different permissions. */
  readonly permissionsMax: number;
  /** Length of their names in UTF-16 units, all together. */
  readonly namesMaxCharacters: number;
};

/** See the top of the file. */
export interface PermissionUses {
  /** Counts operations. Called for every one of them: no journal, no I/O. */
  count(id: string, use: PermissionCount): void;
  /** The counts of an instance as of now, by permission and bucket. */
  of(id: string): readonly PermissionUse[];
  /** The counts as of now are on their way to the control planes, in whatever fact. */
  noteReported(id: string): void;
  /** Forgets an instance. */
  drop(id: string): void;
}

/** Enough for what a person grants; a guest that is refused thousands of names makes no report swell. */
export const PERMISSION_USES_LIMITS: PermissionUsesLimits = { permissionsMax: 128, namesMaxCharacters: 16 * 1024 };

/** Counts that changed are told at most so often for one instance. */
export const USES_REPORT_MS = 10_000;

/** A permission that is used for the first time is told at once, but no two of an instance within this time. */
export const FIRST_USE_REPORT_MS = 1_000;

/** No counts yet. `onChanged` is called when the counts of an instance are to be told. */
export function createPermissionUses(deps: {
  readonly clock: Clock;
  readonly onChanged: (id: string) => void;
  readonly limits?: PermissionUsesLimits;
}): PermissionUses {
  const { clock } = deps;
  const limits = deps.limits ?? PERMISSION_USES_LIMITS;
  const instances = new Map<string, Uses>();

  const usesOf = (id: string): Uses => {
    const known = instances.get(id);
    if (known !== undefined) return known;
    const uses: Uses = { byKey: new Map(), nameCharacters: 0, reportedMs: undefined, dueMs: undefined, cancel: ignore };
    instances.set(id, uses);
    return uses;
  };

  const tell = (id: string, uses: Uses): void => {
    if (instances.get(id) !== uses) return;
    settle(uses, clock.steadyMs());
    deps.onChanged(id);
  };

  /** Arms the timer for the next report, unless one is due as early already. */
  const tellAfter = (id: string, uses: Uses, lastMs: number, gapMs: number): void => {
    const steadyMs = clock.steadyMs();
    const dueMs = lastMs + gapMs;
    if (uses.dueMs !== undefined && uses.dueMs <= dueMs) return;
    uses.cancel();
    if (dueMs <= steadyMs) return tell(id, uses);
    uses.dueMs = dueMs;
    uses.cancel = clock.after(dueMs - steadyMs, () => tell(id, uses));
  };

  return {
    count(id, { permission, bucket, outcome, count }) {
      const uses = usesOf(id);
      const entry = entryOf(uses, { permission, bucket }, limits);
      const isFirst = entry[outcome] === 0;
      entry[outcome] += count;
      // A refusal is a fact of its own, which carries the counts along.
      if (isFirst && outcome === "used") tellAfter(id, uses, uses.reportedMs ?? -Infinity, FIRST_USE_REPORT_MS);
      else if (uses.dueMs === undefined) tellAfter(id, uses, uses.reportedMs ?? clock.steadyMs(), USES_REPORT_MS);
    },
    of: (id) =>
      [...(instances.get(id)?.byKey.values() ?? [])]
        .toSorted((left, right) => compare(left.permission, right.permission) || compare(left.bucket, right.bucket))
        .map(({ permission, bucket, used, denied }) =>
          create(PermissionUseSchema, {
            permission,
            bucket,
            usedCount: BigInt(used),
            deniedCount: BigInt(denied),
          }),
        ),
    noteReported(id) {
      const uses = instances.get(id);
      if (uses !== undefined) settle(uses, clock.steadyMs());
    },
    drop(id) {
      instances.get(id)?.cancel();
      instances.delete(id);
    },
  };
}

/** For people: `kv:read 3, http:request 1; refused: kv:write 2`; cut after some. */
export function usesText(uses: readonly PermissionUse[]): string {
  const listed = (name: "usedCount" | "deniedCount"): string => {
    const counted = uses.filter((use) => use[name] > 0n);
    const texts = counted
      .slice(0, LISTED_MAX)
      .map((use) => `${use.permission}${use.bucket === "" ? "" : ` in ${use.bucket}`} ${use[name]}`);
    return [...texts, ...(counted.length > LISTED_MAX ? [`and ${counted.length - LISTED_MAX} more`] : [])].join(", ");
  };
  const [used, refused] = [listed("usedCount"), listed("deniedCount")];
  return [...(used === "" ? [] : [used]), ...(refused === "" ? [] : [`refused: ${refused}`])].join("; ");
}

const LISTED_MAX = 5;

type Entry = CountedPermission & { used: number; denied: number };

type Uses = {
  readonly byKey: Map<string, Entry>;
  nameCharacters: number;
  /** When the counts were told last, by the steady clock. */
  reportedMs: number | undefined;
  /** When they are to be told next; the timer runs. */
  dueMs: number | undefined;
  cancel: () => void;
};

function settle(uses: Uses, steadyMs: number): void {
  uses.cancel();
  uses.cancel = ignore;
  uses.dueMs = undefined;
  uses.reportedMs = steadyMs;
}

function entryOf(uses: Uses, { permission, bucket }: CountedPermission, limits: PermissionUsesLimits): Entry {
  const known = uses.byKey.get(keyOf(permission, bucket));
  if (known !== undefined) return known;
  const characters = permission.length + bucket.length;
  const fits = uses.byKey.size < limits.permissionsMax && uses.nameCharacters + characters <= limits.namesMaxCharacters;
  // There are few beginnings, so what is kept stays bounded.
  const name = fits ? permission : beginningOf(permission);
  const place = fits ? bucket : "";
  const lumped = uses.byKey.get(keyOf(name, place));
  if (lumped !== undefined) return lumped;
  const entry: Entry = { permission: name, bucket: place, used: 0, denied: 0 };
  uses.byKey.set(keyOf(name, place), entry);
  uses.nameCharacters += name.length + place.length;
  return entry;
}

/** `msg:publish` of `msg:publish:orders.eu`; anything that is no permission at all is counted as one thing. */
function beginningOf(permission: string): string {
  return /^(?:env|[a-z]{2,4}:[a-z]{3,9})(?=:|$)/.exec(permission)?.[0] ?? "other";
}

function keyOf(permission: string, bucket: string): string {
  return bucket === "" ? permission : `${permission} ${bucket}`;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function ignore(): void {
  // No timer runs.
}
