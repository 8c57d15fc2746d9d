/** What of an agent survives its death: the journal, as far as it was synced, and modules. */
import { createHash } from "node:crypto";
import { fault, Reason } from "../../src/fault.ts";
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import type { Journal } from "../../src/agent/journal.ts";
import type { FleetJournal } from "../../src/agent/fleet/fleet-journal.ts";
import { createMemoryFleetDisk, openMemoryFleetJournal } from "../../src/agent/fleet/memory-fleet-journal.ts";
import { createMemoryJournalDisk, openMemoryJournal, type MemoryJournalDisk } from "../../src/agent/memory-journal.ts";
import type { ModuleStore } from "../../src/agent/module-store.ts";
import type { SimProcess } from "./sim-process.ts";

/** See the top of the file. */
export interface SimDisk {
  openJournal(process: SimProcess, onRecord: (record: InstanceRecord) => void): Journal;
  openFleetJournal(process: SimProcess): FleetJournal;
  openModules(process: SimProcess): ModuleStore;
  /** The power goes: what was written and not synced is gone. */
  losePower(): void;
  /** All of it is gone, as after a reinstallation. */
  wipe(): void;
  /** Remembers the journal as it is now; `restoreBackup` brings that back. */
  backUp(): void;
  /** The journal is as it was at the last backup. Only its epochs go on, as by the clock. */
  restoreBackup(): boolean;
}

/** An empty disk. */
export function createSimDisk(): SimDisk {
  /** As a reader sees it. */
  let written = createMemoryJournalDisk();
  let synced = createMemoryJournalDisk();
  let backup: MemoryJournalDisk | undefined;
  /** Synced at every write. */
  let fleet = createMemoryFleetDisk();
  const modules = new Map<string, Uint8Array>();

  return {
    openJournal(process, onRecord) {
      const journal = openMemoryJournal(written);
      const assertAlive = (): void => {
        if (!process.isAlive) throw new Error("a dead process wrote to its journal");
      };
      return {
        ...journal,
        put(record, durability) {
          assertAlive();
          journal.put(record, durability);
          onRecord(record);
          if (durability === "order") synced = copyOf(written);
        },
        setEpochCounter(counter) {
          journal.setEpochCounter(counter);
          synced = copyOf(written);
        },
        setProviderStopped(id, stopped) {
          journal.setProviderStopped(id, stopped);
          synced = copyOf(written);
        },
      };
    },
    openFleetJournal: () => openMemoryFleetJournal(fleet),
    openModules: () => ({
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
        if (actual !== digest) throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot keep module ${digest}: it is ${actual}`);
        modules.set(digest, bytes);
        return { sizeBytes: bytes.length };
      },
    }),
    losePower() {
      written = copyOf(synced);
    },
    wipe() {
      written = createMemoryJournalDisk();
      synced = createMemoryJournalDisk();
      backup = undefined;
      fleet = createMemoryFleetDisk();
      modules.clear();
    },
    backUp() {
      backup = copyOf(synced);
    },
    restoreBackup() {
      if (backup === undefined) return false;
      written = copyOf(backup);
      synced = copyOf(backup);
      return true;
    },
  };
}

function copyOf(disk: MemoryJournalDisk): MemoryJournalDisk {
  return { ...disk, records: new Map(disk.records), stoppedProviders: new Set(disk.stoppedProviders) };
}
