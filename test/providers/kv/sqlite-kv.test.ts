import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { openSqliteKv } from "../../../src/providers/kv/sqlite-kv.ts";
import { describeKvContract } from "./kv-contract.ts";
import { allKeys, bytes, text } from "./kv-fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "wasmatrix-sqlite-kv-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const freshFile = (): string => join(folder, `${(files += 1)}.db`);

describeKvContract("SQLite", (limits) =>
  openSqliteKv({ file: freshFile(), ...(limits === undefined ? {} : { limits }) }),
);

describe("the SQLite key-value store", () => {
  it("keeps everything across a close, the count of bytes included", async () => {
    const file = freshFile();
    const limits = { bucketMaxBytes: 10 };
    const before = await openSqliteKv({ file, limits });
    await before.set("b", "k", bytes("123456789"));
    await before.set("other", "n", bytes("1"));
    await before.close();

    const after = await openSqliteKv({ file, limits });
    expect(text(await after.get("b", "k"))).toBe("123456789");
    expect(await after.increment("other", "n", 1n)).toBe(2n);
    await expect(after.set("b", "l", bytes(""))).rejects.toMatchObject({ reason: Reason.PROVIDER_LIMIT });
    await after.close();
  });

  it("lets a bucket shrink that is larger than a limit lowered since", async () => {
    const file = freshFile();
    const before = await openSqliteKv({ file });
    await before.setMany("b", [
      ["1", bytes("12345")],
      ["2", bytes("12345")],
    ]);
    await before.close();
    const after = await openSqliteKv({ file, limits: { bucketMaxBytes: 3 } });
    await after.delete("b", "1");
    await after.set("b", "2", bytes("123"));
    await expect(after.set("b", "2", bytes("1234"))).rejects.toMatchObject({ reason: Reason.PROVIDER_LIMIT });
    await after.close();
  });

  it("makes the folder of its file", async () => {
    const file = join(folder, "deep", "er", "kv.db");
    const kv = await openSqliteKv({ file });
    await kv.set("b", "k", bytes("v"));
    await kv.close();
    const again = await openSqliteKv({ file });
    expect(text(await again.get("b", "k"))).toBe("v");
    await again.close();
  });

  it("stays consistent when two handles use one file", async () => {
    const file = freshFile();
    const [one, two] = [await openSqliteKv({ file }), await openSqliteKv({ file })];
    await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? one : two).increment("b", "n", 1n)));
    expect(text(await one.get("b", "n"))).toBe("100");
    expect(await allKeys(two, "b")).toEqual(["n"]);
    await one.close();
    await two.close();
  });

  it("has every acknowledged write after its process was killed, and none by half", async () => {
    const file = freshFile();
    const writer = fork(new URL("sqlite-kv-writer-process.ts", import.meta.url), [file], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const exited = once(writer, "exit");
    let acknowledged = 0;
    await new Promise<void>((resolve) => {
      writer.on("message", (count) => {
        acknowledged = Number(count);
        // The writer does not stop for this: it is killed in the middle of its work.
        if (acknowledged >= 100) resolve();
      });
    });
    writer.kill("SIGKILL");
    expect((await exited)[1]).toBe("SIGKILL");

    const kv = await openSqliteKv({ file });
    const count = Number(text(await kv.get("b", "count")));
    expect(count).toBeGreaterThanOrEqual(acknowledged);
    const pairs = (await allKeys(kv, "b")).filter((key) => key !== "count");
    // Each round writes a left and a right key in one batch, then counts it; the last round may lack its count.
    expect(pairs.filter((key) => key.startsWith("left-")).map((key) => key.slice(5))).toEqual(
      pairs.filter((key) => key.startsWith("right-")).map((key) => key.slice(6)),
    );
    expect([count, count + 1]).toContain(pairs.length / 2);
    await kv.close();
  });

  it("refuses a file that is no database, one of another program, and one of a newer version, and leaves them as they are", async () => {
    const noDatabase = freshFile();
    writeFileSync(
      noDatabase,
      "this is not a database, but it is long enough to have a header that says so. ".repeat(20),
    );
    await expect(openSqliteKv({ file: noDatabase })).rejects.toMatchObject({ reason: Reason.PROVIDER_UNAVAILABLE });

    const foreign = freshFile();
    const theirs = new DatabaseSync(foreign);
    theirs.exec("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)");
    await expect(openSqliteKv({ file: foreign })).rejects.toThrow("it is a database of another program");
    expect(theirs.prepare("SELECT x FROM mine").get()).toEqual({ x: 1 });
    theirs.close();

    const newer = freshFile();
    await (await openSqliteKv({ file: newer })).close();
    const raised = new DatabaseSync(newer);
    raised.exec("PRAGMA user_version = 99");
    raised.close();
    await expect(openSqliteKv({ file: newer })).rejects.toThrow("its format 99 is not the one of this program (1)");
  });

  it("says that it is unavailable while another program holds the file, and works when that has let go", async () => {
    const file = freshFile();
    const kv = await openSqliteKv({ file });
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    await expect(kv.set("b", "k", bytes("v"))).rejects.toMatchObject({ reason: Reason.PROVIDER_UNAVAILABLE });
    other.exec("ROLLBACK");
    other.close();
    await kv.set("b", "k", bytes("v"));
    expect(await kv.exists("b", "k")).toBe(true);
    await kv.close();
  });
});
