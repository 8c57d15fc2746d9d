/** A fleet journal that lives as long as its disk object: for simulators, and for agents without a disk. */
import { fault, Reason } from "../../fault.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { FleetJournal, Reservation } from "./fleet-journal.ts";

/** What outlives the journal's object. */
export type MemoryFleetDisk = {
  readonly witnesses: Map<string, WitnessCopy>;
  readonly reservations: Map<string, Reservation>;
  cordoned: boolean;
};

/** An empty disk. */
export function createMemoryFleetDisk(): MemoryFleetDisk {
  return { witnesses: new Map(), reservations: new Map(), cordoned: false };
}

/** Opens a journal on `disk`, by default an empty one. */
export function openMemoryFleetJournal(disk: MemoryFleetDisk = createMemoryFleetDisk()): FleetJournal {
  let closed = false;
  const write = (act: () => void): void => {
    if (closed) throw fault(Reason.SHUTTING_DOWN, "Cannot write fleet journal: it is closed");
    act();
  };
  return {
    witnesses: () => [...disk.witnesses.values()].toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1)),
    putWitness: (copy) => write(() => disk.witnesses.set(copy.instanceId, copy)),
    removeWitness: (id) => write(() => disk.witnesses.delete(id)),
    reservations: () => [...disk.reservations.values()].toSorted((a, b) => a.timeMs - b.timeMs),
    putReservation: (reservation) => write(() => disk.reservations.set(reservation.instanceId, reservation)),
    removeReservations: (ids) =>
      write(() => {
        for (const id of ids) disk.reservations.delete(id);
      }),
    isCordoned: () => disk.cordoned,
    setCordoned: (cordoned) => write(() => (disk.cordoned = cordoned)),
    close() {
      closed = true;
    },
  };
}
