/**
 * Key-value buckets in one SQLite file. What a call has acknowledged survives the death of the process (kill -9);
 * a power cut may take the last moments, never the file's consistency (see DESIGN.md).
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fault, isFault, Reason } from "../../fault.ts";
import { createPrivateFile } from "../private-file.ts";
import type { KvLimits, KvProvider } from "./kv.ts";
import { kvLimitsFrom } from "./kv-checks.ts";
import { createLocalKv, type KvTable } from "./local-kv.ts";

/** Options of `openSqliteKv`. */
export type SqliteKvOptions = {
  /** Path of the database; it and its folder are made when missing. SQLite puts `-wal` and `-shm` files beside it. */
  readonly file: string;
  /** Those that differ from `KV_DEFAULT_LIMITS`. */
  readonly limits?: Partial<KvLimits>;
};

/** Opens or makes the store. Throws `LIMIT_INVALID`, or `PROVIDER_UNAVAILABLE` if the file cannot be used, is not ours, or is newer than this program. */
export async function openSqliteKv(options: SqliteKvOptions): Promise<KvProvider> {
  const limits = kvLimitsFrom(options.limits);
  const database = openDatabase(options.file);
  return createLocalKv(createSqliteTable(database), limits);
}

/** Marks the file as a Wasmatrix key-value store ("WmKv"). */
const APPLICATION_ID = 0x576d4b76;
const SCHEMA_VERSION = 1;
/** How long a write waits, and this thread with it, for another process that has the file locked. */
const LOCK_WAIT_MS = 1000;

const SCHEMA = `
  CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT;
  -- Keys are blobs: they sort by bytes, and may contain NUL.
  CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    bucket_id INTEGER NOT NULL REFERENCES bucket (id),
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (bucket_id, key)
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true });
    createPrivateFile(file);
    database = new DatabaseSync(file, { timeout: LOCK_WAIT_MS });
    // NORMAL: a commit is in the operating system's hands when the call returns; the disk is waited for at checkpoints.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216");
    prepareSchema(database, file);
    return database;
  } catch (error) {
    database?.close();
    if (isFault(error)) throw error;
    throw fault(Reason.PROVIDER_UNAVAILABLE, `Cannot open key-value store "${file}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Brings a new file to the schema, inside a transaction so that two processes may open it at the same moment. */
function prepareSchema(database: DatabaseSync, file: string): void {
  const refuse = (problem: string): never => {
    throw fault(Reason.PROVIDER_UNAVAILABLE, `Cannot open key-value store "${file}": ${problem}`);
  };
  transact(database, () => {
    const version = pragma(database, "user_version");
    const application = pragma(database, "application_id");
    const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.["count"];
    if (version === 0 && application === 0 && tables === 0) return database.exec(SCHEMA);
    if (application !== APPLICATION_ID) return refuse("it is a database of another program");
    if (version !== SCHEMA_VERSION)
      return refuse(`its format ${version} is not the one of this program (${SCHEMA_VERSION})`);
  });
}

function createSqliteTable(database: DatabaseSync): KvTable {
  const where = "bucket_id = (SELECT id FROM bucket WHERE name = ?)";
  const selectValue = database.prepare(`SELECT value FROM entry WHERE ${where} AND key = ?`);
  const selectLength = database.prepare(`SELECT length(value) AS bytes FROM entry WHERE ${where} AND key = ?`);
  const selectKeys = database.prepare(`SELECT key FROM entry WHERE ${where} AND key > ? ORDER BY key LIMIT ?`);
  const selectUsage = database.prepare("SELECT keys, bytes FROM bucket WHERE name = ?");
  const upsertUsage = database.prepare(
    "INSERT INTO bucket (name, keys, bytes) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET keys = excluded.keys, bytes = excluded.bytes",
  );
  const upsertEntry = database.prepare(
    "INSERT INTO entry (bucket_id, key, value) VALUES ((SELECT id FROM bucket WHERE name = ?), ?, ?) ON CONFLICT (bucket_id, key) DO UPDATE SET value = excluded.value",
  );
  const deleteEntry = database.prepare(`DELETE FROM entry WHERE ${where} AND key = ?`);

  return {
    read: (bucket, key) => guarded(() => optional(selectValue.get(bucket, bytesOf(key))?.["value"], asBytes)),
    valueBytes: (bucket, key) => guarded(() => optional(selectLength.get(bucket, bytesOf(key))?.["bytes"], asNumber)),
    // No key is empty, so the empty blob comes before all of them.
    keysAfter: (bucket, after, maxKeys) =>
      guarded(() => selectKeys.all(bucket, bytesOf(after ?? ""), maxKeys).map((row) => textOf(asBytes(row["key"])))),
    usage(bucket) {
      const row = guarded(() => selectUsage.get(bucket));
      return row === undefined ? { keys: 0, bytes: 0 } : { keys: asNumber(row["keys"]), bytes: asNumber(row["bytes"]) };
    },
    apply(bucket, changes, usage) {
      guarded(() => {
        upsertUsage.run(bucket, usage.keys, usage.bytes);
        for (const [key, value] of changes) {
          if (value === undefined) deleteEntry.run(bucket, bytesOf(key));
          else upsertEntry.run(bucket, bytesOf(key), value);
        }
      });
    },
    atomically: (work) => guarded(() => transact(database, work)),
    close: () => guarded(() => database.close()),
  };
}

/** Takes the write lock at once: a read that is upgraded later could fail halfway. */
function transact<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // Some failures (a full disk) have already rolled back.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** Passes our own faults on and makes SQLite's errors into one. */
function guarded<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (isFault(error)) throw error;
    throw fault(Reason.PROVIDER_UNAVAILABLE, `Cannot use key-value store: ${reasonOf(error)}`, { cause: error });
  }
}

function pragma(database: DatabaseSync, name: "user_version" | "application_id"): number {
  return asNumber(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const encoder = new TextEncoder();
// Without `ignoreBOM` a key that begins with U+FEFF would lose it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function optional<Value>(value: unknown, convert: (value: unknown) => Value): Value | undefined {
  return value === undefined ? undefined : convert(value);
}

function asBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("the store holds something other than bytes");
}

function asNumber(value: unknown): number {
  if (typeof value === "number") return value;
  throw new TypeError("the store holds something other than a number");
}
