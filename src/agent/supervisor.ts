/** All instances of the node: takes orders, and keeps each instance as its policy says. */
import type { Clock, Entropy } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import type { Log } from "../log.ts";
import type { Guest, GuestHost, GuestKind, Runtime } from "../runtime/runtime.ts";
import {
  admit,
  assertReportable,
  assertSameOrder,
  loadOf,
  type NodeCapacity,
  type NodeLoad,
  type StartOrder,
} from "./admission.ts";
import type { ProviderDirectory } from "./assignments.ts";
import { createGenerationOrders, type GenerationOrders } from "./fleet/generation-orders.ts";
import { assertNewer, assertPlacedHere } from "./fleet/generations.ts";
import { ENDED_RECORDS_LIMITS, recordsToForget, type EndedRecordsLimits } from "./ended-records.ts";
import { createGrantOrders, type GrantOrders } from "./grant-orders.ts";
import type { GuestRights } from "./guest-rights.ts";
import { guestStartFrom } from "./guest-start.ts";
import { createInstanceLife, type FactSink, type InstanceLife } from "./instance-life.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";
import type { Journal } from "./journal.ts";
import type { MessageDeliveries } from "./message-deliveries.ts";
import type { ModuleShapes } from "./module-shapes.ts";
import { isRefusal } from "./refusal.ts";
import { admitted, forgotten, resumed } from "./transitions.ts";

/** What the supervisor is given. */
export type SupervisorDeps = {
  readonly nodeId: string;
  readonly runtime: Runtime;
  readonly journal: Journal;
  readonly facts: FactSink;
  readonly modules: ModuleShapes;
  readonly providers: ProviderDirectory;
  readonly capacity: NodeCapacity;
  readonly rights: GuestRights;
  readonly deliveries: MessageDeliveries;
  /** Where the instance of an id was placed, if this node was told; elsewhere means that it is not started here. */
  readonly placedOn?: (id: string) => string | undefined;
  /** The generation up to which an instance was stopped for good, if this node was told; it is not started here any more. */
  readonly stoppedUpTo?: (id: string) => bigint | undefined;
  /** Whether the node takes no new instances. */
  readonly isCordoned?: () => boolean;
  /** What the agent does for the guest of an instance. */
  readonly hostOf: (id: string) => GuestHost;
  /** Called when a record is no longer kept, so that logs and the like can go as well. */
  readonly onForgotten: (id: string) => void;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Records of ended instances that are kept. Default `ENDED_RECORDS_LIMITS`. */
  readonly endedRecords?: EndedRecordsLimits;
};

/** An instance, and whether the order had been carried out before. */
export type StartOutcome = { readonly record: InstanceRecord; readonly alreadyStarted: boolean };

/** See the top of the file. Whatever takes an id throws `INSTANCE_NOT_FOUND` for an unknown one. */
export interface Supervisor extends GrantOrders, GenerationOrders {
  /**
   * Admits and starts an instance, or refuses; resolves when the guest is ready or has failed to start and will be started again.
   * The same order again answers the same instance, also one that has ended; the id with another spec throws `IDEMPOTENCY_CONFLICT`.
   * A refusal leaves no record; a guest that fails its first start and is given up leaves one, and its fault is thrown.
   */
  start(order: StartOrder): Promise<StartOutcome>;
  /** Stops an instance; resolves when it has ended. Once accepted, a stop is never undone. */
  stop(id: string, graceMs: number, requestId: string): Promise<InstanceRecord>;
  get(id: string): InstanceRecord;
  /** Like `get`, but `undefined` for an unknown id. */
  find(id: string): InstanceRecord | undefined;
  /** All, by id. */
  list(): readonly InstanceRecord[];
  /** The guest of an instance; throws `INSTANCE_NOT_RUNNING` unless it takes calls. */
  guest(id: string): Guest;
  /** Instances of a name that take calls now. */
  runningGuests(name: string): readonly { readonly record: InstanceRecord; readonly guest: Guest }[];
  /** Whether a live instance of this kind has the name. */
  isLive(name: string, kind: GuestKind): boolean;
  /** Counts refused operations of an instance and makes a fact of it. */
  noteDenied(id: string, count: number, message: string): void;
  load(): NodeLoad;
  /** Whether a live instance, or one that is being admitted, runs this module. */
  needsModule(digest: string): boolean;
  /** Brings back what the journal says, once, before the first order. */
  resume(): void;
  /** Ends all guests within the grace; what their policies restart comes back with the next agent. Orders throw `SHUTTING_DOWN` from here on. May be called twice. */
  close(graceMs: number): Promise<void>;
}

/** Makes a supervisor with no instances; call `resume` to have those of the journal. */
export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const { clock, journal, log, nodeId } = deps;
  const endedRecords = deps.endedRecords ?? ENDED_RECORDS_LIMITS;
  const lives = new Map<string, InstanceLife>();
  /** The same by name, which never changes: every request at the ingress asks. */
  const namesakes = new Map<string, Set<InstanceLife>>();
  /** Orders that are being admitted: their modules are read, no record exists yet. */
  const admitting = new Map<string, { readonly order: StartOrder; readonly life: Promise<InstanceLife> }>();
  let closing: Promise<void> | undefined;

  const assertOpen = (action: string): void => {
    if (closing !== undefined)
      throw fault(Reason.SHUTTING_DOWN, `Cannot ${action}: node "${nodeId}" is shutting down`, { subject: nodeId });
  };

  const lifeOf = (id: string): InstanceLife => {
    const life = lives.get(id);
    if (life === undefined)
      throw fault(Reason.INSTANCE_NOT_FOUND, `Cannot find instance "${id}" on node "${nodeId}"`, { subject: id });
    return life;
  };

  const addLife = (record: InstanceRecord): InstanceLife => {
    const life = createInstanceLife(record, {
      ...deps,
      guestStart: (now) => guestStartFrom(now, { ...deps, readModule: deps.modules.read, host: deps.hostOf(now.id) }),
      onStep: (now, guest) => void deps.deliveries.follow(now, guest),
      onEnded: forgetOldest,
    });
    lives.set(record.id, life);
    const { name } = record.spec;
    namesakes.set(name, (namesakes.get(name) ?? new Set()).add(life));
    return life;
  };

  /** Takes a record out of everything but what was reported of it. */
  const remove = (life: InstanceLife): void => {
    const { record } = life;
    try {
      journal.remove(record.id);
    } catch (error) {
      // The row is read again at the next boot, and forgotten then.
      log.error("record not removed from the journal", { instance: record.id }, error);
    }
    lives.delete(record.id);
    const others = namesakes.get(record.spec.name);
    others?.delete(life);
    if (others?.size === 0) namesakes.delete(record.spec.name);
  };

  const forget = (life: InstanceLife, why: string): void => {
    const { record } = life;
    remove(life);
    const transition = forgotten(record, why);
    deps.facts.instance(transition.factKind, record, transition.message, "");
    deps.onForgotten(record.id);
  };

  const forgetOldest = (): void => {
    if (closing !== undefined) return;
    for (const { id } of recordsToForget(records(lives), endedRecords)) {
      forget(lifeOf(id), "Forgotten: the node keeps only the latest ended instances");
    }
  };

  const admitLife = async (order: StartOrder): Promise<InstanceLife> => {
    const shape = await deps.modules.shape(order.spec.moduleDigest);
    // From here to the journal nothing waits, so that two orders cannot both take the last room.
    assertOpen("start an instance");
    const load = loadOf(records(lives));
    const node = {
      nodeId,
      capacity: deps.capacity,
      load,
      kinds: deps.runtime.kinds,
      providers: deps.providers,
      shape,
      nowMs: clock.nowMs(),
    };
    assertPlacedHere(order, {
      nodeId,
      isCordoned: deps.isCordoned?.() === true,
      placedOn: deps.placedOn?.(order.id),
      stoppedUpTo: deps.stoppedUpTo?.(order.id),
    });
    const record = admit(order, node);
    deps.rights.of(record);
    const older = lives.get(order.id);
    if (older !== undefined) remove(older);
    journal.put(record, "order");
    const life = addLife(record);
    const { factKind, message } = admitted(record);
    deps.facts.instance(factKind, record, message, order.requestId);
    log.info(message, { instance: record.id, state: record.state, requestId: order.requestId });
    life.begin();
    return life;
  };

  /** Waits for the first start; throws its fault if the instance was refused, or given up before it ever ran. */
  const outcomeOf = async (life: InstanceLife, alreadyStarted: boolean): Promise<StartOutcome> => {
    const failure = await life.firstStart;
    if (failure !== undefined && isRefusal(failure)) {
      if (lives.get(life.record.id) === life) forget(life, `Refused: ${failure.message}`);
      throw failure;
    }
    if (failure !== undefined && life.record.state === "failed" && life.record.restartCount === 0) throw failure;
    return { record: life.record, alreadyStarted };
  };

  const change = (id: string, action: string, next: (record: InstanceRecord) => InstanceRecord): InstanceLife => {
    assertOpen(action);
    const life = lifeOf(id);
    if (hasEnded(life.record)) throw notRunning(life.record, action);
    const record = next(life.record);
    assertReportable(record);
    life.amend(record, "order");
    return life;
  };

  /** Ends a life because a newer generation has been placed. */
  const end = async (life: InstanceLife, requestId: string): Promise<void> => {
    if (!hasEnded(life.record)) life.amend({ ...life.record, isSuperseded: true }, "observation");
    await life.stop(0, requestId);
  };

  return {
    ...createGrantOrders({ ...deps, change, lives: () => lives.values() }),
    ...createGenerationOrders({ facts: deps.facts, change, find: (id) => lives.get(id), end }),
    async start(order) {
      assertOpen("start an instance");
      const { id } = order;
      for (;;) {
        const pending = admitting.get(id);
        const known = pending === undefined ? lives.get(id) : await joined(pending, order);
        if (known === undefined) break;
        if (known.record.generation === order.generation) {
          assertSameOrder(known.record, order);
          return outcomeOf(known, true);
        }
        assertNewer(known.record, order);
        // The older run ends before the newer begins: an instance never runs twice on one node.
        await end(known, order.requestId);
        // Another order for it may have come meanwhile; then that one is looked at as well.
        const isLatest = (lives.get(id) ?? known) === known && (admitting.get(id) ?? pending) === pending;
        if (isLatest) break;
      }
      const life = admitLife(order);
      const mine = { order, life };
      admitting.set(id, mine);
      try {
        return await outcomeOf(await life, false);
      } finally {
        if (admitting.get(id) === mine) admitting.delete(id);
      }
    },
    async stop(id, graceMs, requestId) {
      const pending = admitting.get(id);
      // A stop that overtakes the start it belongs to waits for its record; a refused start leaves nothing to stop.
      if (pending !== undefined && !lives.has(id)) await pending.life.catch(() => undefined);
      const life = lifeOf(id);
      if (!hasEnded(life.record)) assertOpen("stop an instance");
      await life.stop(graceMs, requestId);
      return life.record;
    },
    get: (id) => lifeOf(id).record,
    find: (id) => lives.get(id)?.record,
    runningGuests: (name) =>
      [...(namesakes.get(name) ?? [])].flatMap(({ record, guest }) => (guest === undefined ? [] : [{ record, guest }])),
    isLive: (name, kind) =>
      [...(namesakes.get(name) ?? [])].some(({ record }) => record.kind === kind && !hasEnded(record)),
    list: () => [...records(lives)].toSorted((left, right) => (left.id < right.id ? -1 : 1)),
    guest(id) {
      const life = lifeOf(id);
      if (life.guest === undefined) throw notRunning(life.record, "call");
      return life.guest;
    },
    noteDenied(id, count, message) {
      const life = lives.get(id);
      if (life === undefined || closing !== undefined) return;
      life.amend({ ...life.record, deniedCount: life.record.deniedCount + count }, "observation");
      deps.facts.instance(FactKind.CAPABILITY_DENIED, life.record, message, "");
    },
    load: () => loadOf(records(lives)),
    needsModule(digest) {
      const isWanted = (order: StartOrder): boolean => order.spec.moduleDigest === digest;
      if ([...admitting.values()].some(({ order }) => isWanted(order))) return true;
      return [...records(lives)].some((record) => record.spec.moduleDigest === digest && !hasEnded(record));
    },
    resume() {
      for (const journalled of journal.load()) {
        const life = addLife(journalled);
        const transition = resumed(journalled, { nowMs: clock.nowMs(), fraction: deps.entropy.fraction() });
        if (transition !== undefined) life.commit(transition, "observation", "");
        if (life.record.state === "backoff") life.awaitRestart();
      }
    },
    close(graceMs) {
      closing ??= Promise.all([...lives.values()].map((life) => life.shutDown(graceMs))).then(() => undefined);
      return closing;
    },
  };
}

function* records(lives: ReadonlyMap<string, InstanceLife>): Iterable<InstanceRecord> {
  for (const life of lives.values()) yield life.record;
}

async function joined(
  pending: { readonly order: StartOrder; readonly life: Promise<InstanceLife> },
  order: StartOrder,
): Promise<InstanceLife> {
  assertSameOrder(pending.order, order);
  return pending.life;
}

function notRunning(record: InstanceRecord, action: string): Error {
  const until =
    record.state === "backoff" ? ` and restarts at ${new Date(record.nextRestartMs ?? 0).toISOString()}` : "";
  return fault(Reason.INSTANCE_NOT_RUNNING, `Cannot ${action} instance "${record.id}": it is ${record.state}${until}`, {
    subject: record.id,
  });
}
