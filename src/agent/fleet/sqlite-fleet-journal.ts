/** The fleet journal on disk: one SQLite file, synced at every write. */
import { DatabaseSync } from "node:sqlite";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { fault, isFault, Reason } from "../../fault.ts";
import { WitnessCopySchema } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import { createPrivateFile } from "../../providers/private-file.ts";
import type { FleetJournal } from "./fleet-journal.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS witness (instance_id TEXT PRIMARY KEY NOT NULL, copy BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS reservation (
    instance_id TEXT PRIMARY KEY NOT NULL,
    node_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS cordon (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cordoned INTEGER NOT NULL);
`;

/** Opens the file, made if missing; its folder must exist. It holds environment variables of other nodes' instances and is private. Throws `INTERNAL`. */
export function openSqliteFleetJournal(file: string): FleetJournal {
  const database = open(file);
  const putWitness = database.prepare("INSERT OR REPLACE INTO witness VALUES (?, ?)");
  const removeWitness = database.prepare("DELETE FROM witness WHERE instance_id = ?");
  const putReservation = database.prepare("INSERT OR REPLACE INTO reservation VALUES (?, ?, ?)");
  const removeReservation = database.prepare("DELETE FROM reservation WHERE instance_id = ?");
  const setCordon = database.prepare("INSERT OR REPLACE INTO cordon VALUES (1, ?)");
  let closed = false;

  const write = (act: () => void): void => {
    if (closed) throw fault(Reason.SHUTTING_DOWN, "Cannot write fleet journal: it is closed");
    try {
      act();
    } catch (error) {
      throw failed("Cannot write fleet journal", error);
    }
  };

  return {
    witnesses: () =>
      database
        .prepare("SELECT copy FROM witness ORDER BY instance_id")
        .all()
        .map((row) => fromBinary(WitnessCopySchema, blobFrom(row["copy"]))),
    putWitness: (copy) => write(() => putWitness.run(copy.instanceId, toBinary(WitnessCopySchema, copy))),
    removeWitness: (id) => write(() => removeWitness.run(id)),
    reservations: () =>
      database
        .prepare("SELECT instance_id, node_id, time_ms FROM reservation ORDER BY time_ms")
        .all()
        .map((row) => ({
          instanceId: String(row["instance_id"]),
          nodeId: String(row["node_id"]),
          timeMs: Number(row["time_ms"]),
        })),
    putReservation: ({ instanceId, nodeId, timeMs }) =>
      write(() => putReservation.run(instanceId, nodeId, Math.floor(timeMs))),
    removeReservations: (ids) =>
      write(() => {
        database.exec("BEGIN");
        for (const id of ids) removeReservation.run(id);
        database.exec("COMMIT");
      }),
    isCordoned: () => Number(database.prepare("SELECT cordoned FROM cordon").get()?.["cordoned"] ?? 0) === 1,
    setCordoned: (cordoned) => write(() => setCordon.run(cordoned ? 1 : 0)),
    close() {
      if (closed) return;
      closed = true;
      database.close();
    },
  };
}

function open(file: string): DatabaseSync {
  try {
    createPrivateFile(file);
    const database = new DatabaseSync(file);
    database.exec("PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    database.exec(SCHEMA);
    return database;
  } catch (error) {
    throw failed(`Cannot open fleet journal "${file}"`, error);
  }
}

function failed(doing: string, error: unknown): Error {
  if (isFault(error)) return error;
  return fault(Reason.INTERNAL, `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

function blobFrom(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw fault(Reason.INTERNAL, "Cannot read fleet journal: a blob is missing");
}
