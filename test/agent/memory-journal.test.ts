import { createMemoryJournalDisk, openMemoryJournal } from "../../src/agent/memory-journal.ts";
import { describeJournal } from "./journal-contract.ts";

describeJournal("the journal in memory", () => {
  const disk = createMemoryJournalDisk();
  return { open: () => openMemoryJournal(disk), dispose: () => undefined };
});
