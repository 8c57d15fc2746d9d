import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLogFiles } from "../../src/agent/log-files.ts";
import { createLogStore } from "../../src/agent/log-store.ts";
import { createJsonLog, silentLog } from "../../src/log.ts";
import { recordOf } from "./records.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const line = (text: string) => ({ timeMs: 5, stream: "stdout" as const, level: "", text });
const all = { afterSequence: 0, lastLines: 0 };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "logs-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("log files", () => {
  test("give back what was added, and nothing that was torn or is not theirs", () => {
    const files = openLogFiles({ dir, log: silentLog });
    files.append("a1", [line("one\ttwo €"), { ...line("err"), stream: "stderr" }]);
    appendFileSync(join(dir, "a1.log"), '[5,"stdout","to\n[1,2,3]\n{"a":1}\n');
    expect(openLogFiles({ dir, log: silentLog }).read("a1")).toEqual([
      line("one\ttwo €"),
      { ...line("err"), stream: "stderr" },
    ]);
    expect(files.read("b2")).toEqual([]);
    expect(files.ids()).toEqual(["a1"]);
    files.remove("a1");
    files.remove("a1");
    expect(files.ids()).toEqual([]);
  });

  test("never grow beyond two files of an instance", () => {
    const files = openLogFiles({ dir, log: silentLog, fileMaxBytes: 200 });
    for (let index = 0; index < 100; index++) files.append("a1", [line(`line ${index}`)]);
    expect(["a1.log", "a1.log.1"]).toEqual(expect.arrayContaining(readdirSync(dir)));
    const kept = files.read("a1").map(({ text }) => text);
    expect(kept.at(-1)).toBe("line 99");
    expect(kept.length).toBeLessThan(30);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => `line ${100 - kept.length + index}`));
  });

  test("warn once while the disk refuses, and do not throw", () => {
    const logged: string[] = [];
    const files = openLogFiles({ dir, log: createJsonLog({ write: (text) => void logged.push(text) }) });
    rmSync(dir, { recursive: true });
    files.append("a1", [line("x")]);
    files.append("a1", [line("y")]);
    expect(logged).toHaveLength(1);
    writeFileSync(dir, "");
  });
});

test("log files keep the level of structured lines, and read lines of before there were any", () => {
  const files = openLogFiles({ dir, log: silentLog });
  const structured = { timeMs: 5, stream: "logging" as const, text: "db: slow", level: "warn" };
  files.append("a1", [structured]);
  appendFileSync(join(dir, "a1.log"), '[6,"stdout","old"]\n[7,"elsewhere","x"]\n');
  expect(files.read("a1")).toEqual([structured, { timeMs: 6, stream: "stdout", text: "old", level: "" }]);
});

describe("the logs of a node with files", () => {
  const open = (clock = createVirtualClock()) => ({
    clock,
    logs: createLogStore({ clock, files: openLogFiles({ dir, log: silentLog }) }),
  });

  test("outlive the agent: after an orderly end entirely, after kill -9 up to the last second", async () => {
    const first = open();
    first.logs.write("a1", "stdout", bytes("one\n"));
    await first.clock.advance(1_000);
    first.logs.write("a1", "stdout", bytes("two\n"));
    const second = open();
    expect(second.logs.buffer("a1").lines(all)).toMatchObject([{ sequence: 1, text: "one" }]);
    second.logs.write("a1", "stdout", bytes("three\n"));
    second.logs.note(recordOf({ id: "a1", state: "stopped" }));
    second.logs.close();
    second.logs.close();
    expect(
      open()
        .logs.buffer("a1")
        .lines(all)
        .map(({ text }) => text),
    ).toEqual(["one", "three"]);
  });

  test("go with the record", async () => {
    const { logs } = open();
    for (const id of ["a1", "b2", "c3"]) logs.write(id, "stdout", bytes("x\n"));
    logs.close();
    logs.drop("a1");
    logs.dropUnknown((id) => id === "c3");
    expect(readdirSync(dir)).toEqual(["c3.log"]);
    expect(logs.buffer("b2").lines(all)).toEqual([]);
  });
});
