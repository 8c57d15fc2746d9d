/** A journal that lives as long as its object: for development, and for simulators that restart agents within one process. */
import { fault, Reason } from "../fault.ts";
import type { InstanceRecord } from "./instance-record.ts";
import type { Journal } from "./journal.ts";

/** What outlives the journal's object: hand it to the next one to simulate a restart. */
export type MemoryJournalDisk = {
  readonly records: Map<string, InstanceRecord>;
  readonly stoppedProviders: Set<string>;
  epochCounter: number;
};

/** An empty disk. */
export function createMemoryJournalDisk(): MemoryJournalDisk {
  return { records: new Map(), stoppedProviders: new Set(), epochCounter: 0 };
}

/** Opens a journal on `disk`, by default an empty one. */
export function openMemoryJournal(disk: MemoryJournalDisk = createMemoryJournalDisk()): Journal {
  let closed = false;
  const assertOpen = (): void => {
    if (closed) throw fault(Reason.SHUTTING_DOWN, "Cannot write journal: it is closed");
  };
  return {
    problems: [],
    load: () => [...disk.records.values()].toSorted((left, right) => (left.id < right.id ? -1 : 1)),
    put(record) {
      assertOpen();
      disk.records.set(record.id, record);
    },
    remove(id) {
      assertOpen();
      disk.records.delete(id);
    },
    epochCounter: () => disk.epochCounter,
    setEpochCounter(counter) {
      assertOpen();
      disk.epochCounter = counter;
    },
    stoppedProviders: () => [...disk.stoppedProviders].toSorted(),
    setProviderStopped(id, stopped) {
      assertOpen();
      if (stopped) disk.stoppedProviders.add(id);
      else disk.stoppedProviders.delete(id);
    },
    close() {
      closed = true;
    },
  };
}
