import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { DEFAULT_LIMITS } from "../../src/agent/instance-limits.ts";
import { openSqliteJournal } from "../../src/agent/sqlite-journal.ts";
import { Reason } from "../../src/fault.ts";
import { describeJournal } from "./journal-contract.ts";
import { InstanceSchema } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import { grantOf, recordOf } from "./records.ts";

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

describeJournal("the journal in SQLite", () => {
  const dir = mkdtempSync(join(tmpdir(), "journal-"));
  const opened: { close(): void }[] = [];
  return {
    open() {
      const journal = openSqliteJournal({ file: join(dir, "journal.sqlite"), nowMs: NOW_MS });
      opened.push(journal);
      return journal;
    },
    dispose() {
      for (const journal of opened) journal.close();
      rmSync(dir, { recursive: true });
    },
  };
});

describe("a damaged journal file", () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "journal-"));
    file = join(dir, "journal.sqlite");
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const open = () => openSqliteJournal({ file, nowMs: NOW_MS });

  test("that is no database is moved aside and reported, and the journal works", () => {
    writeFileSync(
      file,
      "this is not a database, and it is longer than one header of one hundred bytes, so that SQLite looks at it in earnest",
    );
    const journal = open();
    const movedTo = `${file}.unreadable-2026-11-23T12-00-00-000Z`;
    expect(journal.problems).toEqual([{ kind: "moved-aside", movedTo, message: expect.any(String) }]);
    expect(readFileSync(movedTo, "utf8")).toContain("this is not a database");
    journal.put(recordOf(), "order");
    journal.close();
    const again = open();
    expect(again.problems).toEqual([]);
    expect(again.load()).toHaveLength(1);
    again.close();
  });

  test("whose pages were overwritten is moved aside together with its log", () => {
    const journal = open();
    for (let index = 0; index < 200; index++) journal.put(recordOf({ id: `i${index}`.padEnd(20, "x") }), "observation");
    journal.close();
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, Buffer.alloc(statSync(file).size - 100, 0x5a), 0, undefined, 100);
    closeSync(descriptor);
    const again = open();
    expect(again.problems).toMatchObject([{ kind: "moved-aside" }]);
    expect(again.load()).toEqual([]);
    again.close();
    expect(readdirSync(dir).filter((name) => name.includes("unreadable"))).not.toEqual([]);
  });

  test("that was torn at the end of its log keeps everything up to the last whole record", () => {
    const journal = open();
    const stopped = recordOf({ id: "s".repeat(20), state: "stopped" });
    journal.put(stopped, "order");
    journal.put(recordOf({ id: "t".repeat(20) }), "order");
    // As after a power cut: the files as they are, without a checkpoint, the last frame cut in the middle.
    const torn = join(dir, "torn.sqlite");
    copyFileSync(file, torn);
    copyFileSync(`${file}-wal`, `${torn}-wal`);
    journal.close();
    truncateSync(`${torn}-wal`, statSync(`${torn}-wal`).size - 1_000);
    const again = openSqliteJournal({ file: torn, nowMs: NOW_MS });
    expect(again.problems).toEqual([]);
    expect(again.load()).toEqual([stopped]);
    again.close();
  });

  test("with one record that cannot be read keeps the others and says which is left out", () => {
    const journal = open();
    const good = recordOf({ id: "g".repeat(20) });
    journal.put(good, "order");
    journal.put(recordOf({ id: "h".repeat(20) }), "order");
    journal.close();
    const database = new DatabaseSync(file);
    database.prepare("UPDATE instance SET instance = ? WHERE id = ?").run(new Uint8Array([0xff, 0xff]), "h".repeat(20));
    database.close();
    const again = open();
    expect(again.problems).toEqual([{ kind: "record-unreadable", id: "h".repeat(20), message: expect.any(String) }]);
    expect(again.load()).toEqual([good]);
    again.close();
  });

  test("of the version before is read, with defaults for what it did not know, and marked as ours", () => {
    const grant: Grant = grantOf(["kv:read"]);
    const journal = open();
    journal.put(recordOf({ id: "o".repeat(20), grants: [grant] }), "order");
    journal.close();
    const database = new DatabaseSync(file);
    const old = create(InstanceSchema, {
      id: "o".repeat(20),
      nodeId: "node-1",
      kind: 1,
      state: 2,
      generation: 1n,
      createTime: timestampFromMs(1_000),
      limits: { memoryMaxBytes: 1_000_000n, callTimeoutMs: 5 },
      assignments: [{ providerId: "kv", type: 1, bucket: "default", permissions: ["kv:read"] }],
    });
    database.prepare("UPDATE instance SET instance = ?").run(toBinary(InstanceSchema, old));
    database.exec("PRAGMA user_version = 1");
    database.close();
    const again = open();
    expect(again.problems).toEqual([]);
    expect(again.load()).toMatchObject([
      { limits: { ...DEFAULT_LIMITS, memoryMaxBytes: 1_000_000, callTimeoutMs: 5 }, grants: [grant] },
    ]);
    again.close();
    const after = new DatabaseSync(file);
    expect(after.prepare("PRAGMA user_version").get()).toEqual({ user_version: 2 });
    after.close();
  });

  test("of a newer version is refused and left as it is", () => {
    open().close();
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 7");
    database.close();
    expect(() => open()).toThrow(
      expect.objectContaining({
        reason: Reason.INVALID_REQUEST,
        message: expect.stringContaining("written by a newer version (format 7"),
      }),
    );
    expect(existsSync(file)).toBe(true);
    expect(readdirSync(dir).some((name) => name.includes("unreadable"))).toBe(false);
  });

  test("in a folder that is not there is refused with the path", () => {
    file = join(dir, "missing", "journal.sqlite");
    expect(() => open()).toThrow(
      expect.objectContaining({ reason: Reason.INTERNAL, message: expect.stringContaining(file) }),
    );
  });
});
