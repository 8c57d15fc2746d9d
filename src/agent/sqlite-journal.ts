/** The journal on disk: one SQLite file with a write-ahead log. */
import { existsSync, renameSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { fault, Reason } from "../fault.ts";
import { InstanceSchema, InstanceSpecSchema } from "../gen/wasmatrix/v1/instance_pb.ts";
import { createPrivateFile } from "../providers/private-file.ts";
import { instanceFromRecord, recordFromInstance, type InstanceRecord } from "./instance-record.ts";
import type { Durability, Journal, JournalProblem } from "./journal.ts";

/** Where the journal is. */
export type SqliteJournalOptions = {
  /** Created if missing; its folder must exist. */
  readonly file: string;
  /** Names a file that is moved aside. */
  readonly nowMs: number;
};

/**
 * Opens the journal. A file that is not a readable database is moved to `FILE.unreadable-TIME` and reported in `problems`:
 * an agent on a far-away host must come up without hands, and an empty journal brings no stopped instance back. Throws
 * `INVALID_REQUEST` for a file that a newer program wrote, and `INTERNAL` if the file cannot be opened at all.
 */
export function openSqliteJournal(options: SqliteJournalOptions): Journal {
  const problems: JournalProblem[] = [];
  let database: DatabaseSync;
  let records: readonly InstanceRecord[];
  try {
    database = openDatabase(options.file);
    records = readRecords(database, problems);
  } catch (error) {
    if (!isUnreadable(error)) throw asFault(`Cannot open journal "${options.file}"`, error);
    const movedTo = moveAside(options.file, options.nowMs);
    problems.length = 0;
    problems.push({ kind: "moved-aside", movedTo, message: messageOf(error) });
    database = openDatabase(options.file);
    records = [];
  }
  return journalOn(database, records, problems);
}

/** 2: a program that reads format 1 would take assignments without their denials. */
const FORMAT = 2;

/** Primary result codes of SQLite: the file is damaged, or no database at all. */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS instance (
    id TEXT PRIMARY KEY NOT NULL,
    spec BLOB NOT NULL,
    instance BLOB NOT NULL,
    retries_in_row INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS stopped_provider (id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS epoch (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), counter INTEGER NOT NULL);
  PRAGMA user_version = ${FORMAT};
`;

function openDatabase(file: string): DatabaseSync {
  createPrivateFile(file);
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA busy_timeout = 2000");
    const format = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (format > FORMAT) {
      throw fault(
        Reason.INVALID_REQUEST,
        `Cannot open journal "${file}": it was written by a newer version (format ${format}, this version reads ${FORMAT})`,
      );
    }
    database.exec("PRAGMA journal_mode = WAL");
    const check = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (check !== "ok") throw new UnreadableError(String(check));
    if (format < FORMAT) database.exec(SCHEMA);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function journalOn(
  database: DatabaseSync,
  loaded: readonly InstanceRecord[],
  problems: readonly JournalProblem[],
): Journal {
  const known = new Set(loaded.map((record) => record.id));
  const insert = database.prepare(
    "INSERT OR REPLACE INTO instance (id, spec, instance, retries_in_row) VALUES (?, ?, ?, ?)",
  );
  const update = database.prepare("UPDATE instance SET instance = ?, retries_in_row = ? WHERE id = ?");
  const remove = database.prepare("DELETE FROM instance WHERE id = ?");
  const addStopped = database.prepare("INSERT OR IGNORE INTO stopped_provider (id) VALUES (?)");
  const removeStopped = database.prepare("DELETE FROM stopped_provider WHERE id = ?");
  const setEpoch = database.prepare("INSERT OR REPLACE INTO epoch (only_row, counter) VALUES (1, ?)");
  let current: Durability | undefined;
  let closed = false;

  const write = (
    durability: Durability,
    statement: { run(...values: SQLInputValue[]): unknown },
    ...values: SQLInputValue[]
  ): void => {
    if (closed) throw fault(Reason.SHUTTING_DOWN, "Cannot write journal: it is closed");
    try {
      // In WAL mode NORMAL leaves the sync to the next FULL commit or checkpoint.
      if (current !== durability) database.exec(`PRAGMA synchronous = ${durability === "order" ? "FULL" : "NORMAL"}`);
      current = durability;
      statement.run(...values);
    } catch (error) {
      throw asFault("Cannot write journal", error);
    }
  };

  return {
    problems,
    load: () => readRecords(database, []),
    put(record, durability) {
      const instance = toBinary(InstanceSchema, instanceFromRecord(record));
      // The spec may hold a megabyte of standard input and never changes: it is written once.
      if (known.has(record.id)) return write(durability, update, instance, record.retriesInRow, record.id);
      write(durability, insert, record.id, toBinary(InstanceSpecSchema, record.spec), instance, record.retriesInRow);
      known.add(record.id);
    },
    remove(id) {
      write("observation", remove, id);
      known.delete(id);
    },
    epochCounter: () => Number(database.prepare("SELECT counter FROM epoch").get()?.["counter"] ?? 0),
    setEpochCounter: (counter) => write("order", setEpoch, counter),
    stoppedProviders: () =>
      database
        .prepare("SELECT id FROM stopped_provider ORDER BY id")
        .all()
        .map((row) => String(row["id"])),
    setProviderStopped: (id, stopped) => write("order", stopped ? addStopped : removeStopped, id),
    close() {
      if (closed) return;
      closed = true;
      database.close();
    },
  };
}

function readRecords(database: DatabaseSync, problems: JournalProblem[]): readonly InstanceRecord[] {
  const records: InstanceRecord[] = [];
  for (const row of database.prepare("SELECT id, spec, instance, retries_in_row FROM instance ORDER BY id").all()) {
    const id = String(row["id"]);
    try {
      const spec = fromBinary(InstanceSpecSchema, blobFrom(row["spec"]));
      const instance = fromBinary(InstanceSchema, blobFrom(row["instance"]));
      records.push(recordFromInstance(instance, { spec, retriesInRow: Number(row["retries_in_row"]) }));
    } catch (error) {
      // One instance is not resumed; the others must be. The row stays for a program that can read it.
      problems.push({ kind: "record-unreadable", id, message: messageOf(error) });
    }
  }
  return records;
}

function blobFrom(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("a blob is missing");
}

function moveAside(file: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replaceAll(/[:.]/g, "-");
  const movedTo = `${file}.unreadable-${stamp}`;
  // The write-ahead log belongs to the file: it goes first, so that a crash in between cannot apply it to a new one.
  for (const suffix of ["-wal", "-shm", ""]) {
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${movedTo}${suffix}`);
  }
  return movedTo;
}

class UnreadableError extends Error {}

function isUnreadable(error: unknown): boolean {
  if (error instanceof UnreadableError) return true;
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return false;
  // The low byte is the primary code; the rest says where the damage was noticed.
  const primary = error.errcode & 0xff;
  return primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB;
}

function asFault(action: string, error: unknown): Error {
  if (error instanceof Error && "reason" in error) return error;
  return fault(Reason.INTERNAL, `${action}: ${messageOf(error)}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
