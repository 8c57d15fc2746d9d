/**
 * The contract of an agent's second journal: what it keeps for the fleet rather than for instances of its own. Calls are
 * synchronous and durable when they return. Every implementation passes `test/agent/fleet/fleet-journal-contract.ts`.
 */
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";

/** Where the instance of a key was placed. */
export type Reservation = { readonly instanceId: string; readonly nodeId: string; readonly timeMs: number };

/** See the top of the file. Writes throw `INTERNAL` if they cannot be made, `SHUTTING_DOWN` after `close`. */
export interface FleetJournal {
  /** All copies, by instance id. */
  witnesses(): readonly WitnessCopy[];
  /** Keeps a copy in place of the one of the same instance. */
  putWitness(copy: WitnessCopy): void;
  /** Forgets a copy; a missing one is no error. */
  removeWitness(instanceId: string): void;
  /** All reservations, oldest first. */
  reservations(): readonly Reservation[];
  /** Keeps a reservation in place of the one of the same instance. */
  putReservation(reservation: Reservation): void;
  /** Forgets reservations; missing ones are no error. */
  removeReservations(instanceIds: readonly string[]): void;
  /** Whether the node takes no new instances. */
  isCordoned(): boolean;
  setCordoned(cordoned: boolean): void;
  /** May be called twice. */
  close(): void;
}
