/** What of an agent survives its death: its journals, as far as they were synced, and modules. */
import { createHash } from "node:crypto";
import { fault, Reason } from "../../src/fault.ts";
import type { WitnessCopy } from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import type { Journal } from "../../src/agent/journal.ts";
import type { FleetJournal } from "../../src/agent/fleet/fleet-journal.ts";
import {
  createMemoryFleetDisk,
  openMemoryFleetJournal,
  type MemoryFleetDisk,
} from "../../src/agent/fleet/memory-fleet-journal.ts";
import { createMemoryJournalDisk, openMemoryJournal, type MemoryJournalDisk } from "../../src/agent/memory-journal.ts";
import type { ModuleStore } from "../../src/agent/module-store.ts";
import type { SimProcess } from "./sim-process.ts";

/** Hears of what stands on a disk from now on. */
export type DiskWatcher = {
  readonly onRecord: (record: InstanceRecord) => void;
  readonly onWitness: (copy: WitnessCopy) => void;
};

/** See the top of the file. A write in a process that is to die at it (`SimProcess.doom`) takes place or not, as is decided there. */
export interface SimDisk {
  openJournal(process: SimProcess, watcher: DiskWatcher): Journal;
  openFleetJournal(process: SimProcess, watcher: DiskWatcher): FleetJournal;
  openModules(): ModuleStore;
  /** The power goes: what was written and not synced is gone. */
  losePower(): void;
  /** All of it is gone, as after a reinstallation. */
  wipe(): void;
  /** Remembers both journals as they are now; `restoreBackup` brings that back. */
  backUp(): void;
  /** The journals are as they were at the last backup; false if there is none. */
  restoreBackup(): boolean;
}

type Backup = { readonly journal: MemoryJournalDisk; readonly fleet: MemoryFleetDisk };

/** An empty disk. */
export function createSimDisk(): SimDisk {
  /** As a reader sees it. */
  let written = createMemoryJournalDisk();
  let synced = createMemoryJournalDisk();
  let backup: Backup | undefined;
  /** Synced at every write. */
  let fleet = createMemoryFleetDisk();
  const modules = new Map<string, Uint8Array>();

  return {
    openJournal(process, watcher) {
      const journal = openMemoryJournal(written);
      const write = (act: () => void, isSynced: boolean): void => {
        if (!process.effect("write")) return;
        act();
        if (isSynced) synced = copyOf(written);
      };
      return {
        ...journal,
        put: (record, durability) =>
          write(() => {
            journal.put(record, durability);
            watcher.onRecord(record);
          }, durability === "order"),
        remove: (id) => write(() => journal.remove(id), false),
        setEpochCounter: (counter) => write(() => journal.setEpochCounter(counter), true),
        setProviderStopped: (id, stopped) => write(() => journal.setProviderStopped(id, stopped), true),
      };
    },
    openFleetJournal(process, watcher) {
      const journal = openMemoryFleetJournal(fleet);
      const write = (act: () => void): void => {
        if (process.effect("write")) act();
      };
      return {
        ...journal,
        putWitness: (copy) =>
          write(() => {
            journal.putWitness(copy);
            watcher.onWitness(copy);
          }),
        removeWitness: (id) => write(() => journal.removeWitness(id)),
        putReservation: (reservation) => write(() => journal.putReservation(reservation)),
        removeReservations: (ids) => write(() => journal.removeReservations(ids)),
        setCordoned: (cordoned) => write(() => journal.setCordoned(cordoned)),
      };
    },
    openModules: () => memoryModules(modules),
    losePower() {
      written = copyOf(synced);
    },
    wipe() {
      written = createMemoryJournalDisk();
      synced = createMemoryJournalDisk();
      fleet = createMemoryFleetDisk();
      backup = undefined;
      modules.clear();
    },
    backUp() {
      backup = { journal: copyOf(synced), fleet: copyOfFleet(fleet) };
    },
    restoreBackup() {
      if (backup === undefined) return false;
      written = copyOf(backup.journal);
      synced = copyOf(backup.journal);
      fleet = copyOfFleet(backup.fleet);
      return true;
    },
  };
}

function memoryModules(modules: Map<string, Uint8Array>): ModuleStore {
  return {
    digests: () => [...modules.keys()].toReversed(),
    async touch(digest) {
      return modules.has(digest);
    },
    async read(digest) {
      const bytes = modules.get(digest);
      if (bytes === undefined) throw fault(Reason.MODULE_NOT_FOUND, `Cannot read module ${digest}: it is not held`);
      return bytes;
    },
    async put(digest, chunks) {
      const pieces: Uint8Array[] = [];
      for await (const chunk of chunks) pieces.push(chunk);
      const bytes = new Uint8Array(Buffer.concat(pieces));
      const actual = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      if (actual !== digest)
        throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot keep module ${digest}: it is ${actual}`);
      modules.set(digest, bytes);
      return { sizeBytes: bytes.length };
    },
  };
}

function copyOf(disk: MemoryJournalDisk): MemoryJournalDisk {
  return { ...disk, records: new Map(disk.records), stoppedProviders: new Set(disk.stoppedProviders) };
}

function copyOfFleet(disk: MemoryFleetDisk): MemoryFleetDisk {
  return { ...disk, witnesses: new Map(disk.witnesses), reservations: new Map(disk.reservations) };
}
