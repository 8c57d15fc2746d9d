/** Remembers where the instances of keys were placed: the first to ask decides, so that a key does not run twice. */
import type { Clock } from "../../clock.ts";
import type { FleetJournal, Reservation } from "./fleet-journal.ts";

/** What reservations need. */
export type ReservationsDeps = {
  readonly journal: FleetJournal;
  readonly clock: Clock;
  /** Default 100,000; the oldest go first. */
  readonly reservationsMax?: number;
  /** After this a key counts as fresh again. Default 24 h. */
  readonly keepMs?: number;
};

/** See the top of the file. */
export interface Reservations {
  /** The node that is remembered for an instance, if one is. */
  placedOn(instanceId: string): string | undefined;
  /**
   * Answers the node on which the instance goes: the one that was named first. If that one is `refusedByNodeId`, the
   * reservation moves to `nodeId`.
   */
  reserve(asked: { readonly instanceId: string; readonly nodeId: string; readonly refusedByNodeId: string }): string;
}

const RESERVATIONS_DEFAULT_MAX = 100_000;
const KEEP_DEFAULT_MS = 24 * 60 * 60 * 1_000;
/** Old ones are forgotten this many at a time: one write for many. */
const FORGET_AT_ONCE = 1_000;

/** Reads what the journal holds and goes on from there. */
export function createReservations(deps: ReservationsDeps): Reservations {
  const { journal, clock, reservationsMax = RESERVATIONS_DEFAULT_MAX, keepMs = KEEP_DEFAULT_MS } = deps;
  /** In the order of their making. */
  const held = new Map<string, Reservation>(journal.reservations().map((one) => [one.instanceId, one]));

  const makeRoom = (): void => {
    if (held.size < reservationsMax) return;
    const oldest = [...held.keys()].slice(0, Math.min(FORGET_AT_ONCE, held.size));
    journal.removeReservations(oldest);
    for (const id of oldest) held.delete(id);
  };

  const fresh = (instanceId: string): Reservation | undefined => {
    const known = held.get(instanceId);
    return known !== undefined && clock.nowMs() - known.timeMs < keepMs ? known : undefined;
  };

  return {
    placedOn: (instanceId) => fresh(instanceId)?.nodeId,
    reserve({ instanceId, nodeId, refusedByNodeId }) {
      const before = fresh(instanceId);
      if (before !== undefined && before.nodeId !== refusedByNodeId) return before.nodeId;
      makeRoom();
      const reservation = { instanceId, nodeId, timeMs: clock.nowMs() };
      journal.putReservation(reservation);
      held.delete(instanceId);
      held.set(instanceId, reservation);
      return nodeId;
    },
  };
}
