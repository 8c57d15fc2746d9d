/** Starts many instances at once: placed together, ordered a number at a time, each with an outcome of its own. */
import type { CallOptions } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { fault, Reason } from "../../fault.ts";
import type { ModuleSource, StartInstanceRequest } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { ModuleStore, ResolvedModule } from "../modules/module-store.ts";
import type { PlacementNode } from "../placement.ts";
import { createBatchSeats, type BatchSeat } from "./batch-placement.ts";
import { placeMany, type NameCounts, type PlacementItem } from "./place-many.ts";
import type { Started } from "./start-instance.ts";
import { createTurns, type Turns } from "./turns.ts";

/** What one start of a batch shares with the others. */
export type BatchShare = {
  readonly seat: BatchSeat;
  /** For orders to agents. */
  readonly turns: Turns;
  /** Finds a module; one that many starts name is fetched once. */
  readonly resolve: ModuleStore["resolve"];
};

/** What starting a batch needs. */
export type StartBatchDeps = {
  readonly clock: Clock;
  readonly modules: Pick<ModuleStore, "resolve">;
  readonly placementNodes: (name: string) => readonly PlacementNode[];
  readonly countsOf: NameCounts;
  /** Starts one instance of the batch. */
  readonly start: (request: StartInstanceRequest, call: CallOptions, share: BatchShare) => Promise<Started>;
};

/** Orders under way at once for one batch. */
const ORDERS_AT_ONCE = 64;

/** Starts all, in the order of the requests; what one comes to says nothing of the others. Throws `INVALID_REQUEST` for a batch that contradicts itself. */
export async function startBatch(
  deps: StartBatchDeps,
  requests: readonly StartInstanceRequest[],
  call: CallOptions,
): Promise<readonly PromiseSettledResult<Started>[]> {
  assertBatch(requests);
  const plan = (items: readonly PlacementItem[]): readonly (string | undefined)[] =>
    placeMany(deps.placementNodes(""), items, deps.countsOf);
  const seats = createBatchSeats({ clock: deps.clock, plan }, requests.length);
  const turns = createTurns(ORDERS_AT_ONCE);
  const resolve = resolveOnce(deps.modules);
  return Promise.allSettled(
    seats.map((seat, index) => {
      const request = requests[index];
      if (request === undefined) throw new Error("a seat without a request");
      return deps.start(request, call, { seat, turns, resolve }).finally(() => seat.leave());
    }),
  );
}

function assertBatch(requests: readonly StartInstanceRequest[]): void {
  const seen = new Set<string>();
  for (const [index, { idempotencyKey, dryRun }] of requests.entries()) {
    const refuse = (why: string, field: string): never => {
      throw fault(Reason.INVALID_REQUEST, `Cannot start instances: ${why}`, { subject: `requests[${index}].${field}` });
    };
    if (dryRun) refuse(`request ${index} is a dry run`, "dry_run");
    if (idempotencyKey !== "" && seen.has(idempotencyKey))
      refuse(`request ${index} has the idempotency key of another one`, "idempotency_key");
    seen.add(idempotencyKey);
  }
}

/** Modules on the web come one after the other: places for fetches are few, and one batch must not take them all. */
function resolveOnce(modules: Pick<ModuleStore, "resolve">): ModuleStore["resolve"] {
  const known = new Map<string, Promise<ResolvedModule>>();
  let last: Promise<unknown> = Promise.resolve();
  return (source: ModuleSource | undefined) => {
    const each = source?.source;
    if (each?.case !== "url") return modules.resolve(source);
    const key = `${each.value.digest} ${each.value.url}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const resolved = last.then(() => modules.resolve(source));
    // Lost for the next one: why this one failed. Who waits for it is told.
    last = resolved.catch(() => undefined);
    known.set(key, resolved);
    return resolved;
  };
}
