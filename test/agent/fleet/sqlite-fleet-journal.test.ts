import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqliteFleetJournal } from "../../../src/agent/fleet/sqlite-fleet-journal.ts";
import { Reason } from "../../../src/fault.ts";
import { describeFleetJournal, type FleetJournalPlace } from "./fleet-journal-contract.ts";

function createPlace(): FleetJournalPlace & { readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), "wasmatrix-fleet-journal-"));
  const file = join(folder, "fleet.sqlite");
  return {
    file,
    open: () => openSqliteFleetJournal(file),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

describeFleetJournal("the fleet journal on disk", createPlace);

test("its file, which holds environment variables of other nodes' instances, is for its user alone", () => {
  const place = createPlace();
  place.open().close();
  expect(statSync(place.file).mode & 0o077).toBe(0);
  place.dispose();
});

test("a file that is no database is refused with a sentence that names it", () => {
  const place = createPlace();
  writeFileSync(place.file, "not a database at all, and long enough to be read as a header of one".repeat(20));
  expect(() => place.open()).toThrow(
    expect.objectContaining({ reason: Reason.INTERNAL, message: expect.stringContaining(place.file) }),
  );
  place.dispose();
});
