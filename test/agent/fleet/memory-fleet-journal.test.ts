import { createMemoryFleetDisk, openMemoryFleetJournal } from "../../../src/agent/fleet/memory-fleet-journal.ts";
import { describeFleetJournal } from "./fleet-journal-contract.ts";

describeFleetJournal("the fleet journal in memory", () => {
  const disk = createMemoryFleetDisk();
  return { open: () => openMemoryFleetJournal(disk), dispose: () => undefined };
});
