import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLineSplitter, LINE_MAX_BYTES } from "../../src/agent/line-splitter.ts";
import { createLogBuffer, LOG_BUFFER_LIMITS } from "../../src/agent/log-buffer.ts";
import { createLogStore } from "../../src/agent/log-store.ts";
import { Reason } from "../../src/fault.ts";
import { recordOf } from "./records.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const texts = (lines: readonly { readonly text: string }[]) => lines.map(({ text }) => text);
const all = { afterSequence: 0, lastLines: 0 };

describe("a line splitter", () => {
  test("cuts at newlines wherever chunks end", () => {
    const text = fc.array(fc.stringMatching(/^[a-zäöü€😀 ]{0,20}$/u), { maxLength: 10 });
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (lines, cuts) => {
        const whole = bytes(lines.map((line) => `${line}\n`).join(""));
        const splitter = createLineSplitter();
        const got: string[] = [];
        for (let start = 0, index = 0; start < whole.length; index++) {
          const end = start + (cuts[index % cuts.length] ?? 1);
          got.push(...splitter.push(whole.subarray(start, end)));
          start = end;
        }
        expect([...got, ...splitter.flush()]).toEqual(lines);
      }),
      { numRuns: 1_000 },
    );
  });

  test("drops carriage returns, replaces invalid UTF-8, and copies what it is given", () => {
    const splitter = createLineSplitter();
    const chunk = bytes("ab\r\ncd");
    expect(splitter.push(chunk)).toEqual(["ab"]);
    chunk.fill(0);
    expect(splitter.push(new Uint8Array([0xff, 10]))).toEqual(["cd\ufffd"]);
    expect(splitter.flush()).toEqual([]);
  });

  test("cuts a line without end, never within a character", () => {
    const splitter = createLineSplitter();
    expect(splitter.push(bytes("x".repeat(LINE_MAX_BYTES)))).toEqual([]);
    expect(splitter.push(bytes("y"))).toEqual(["x".repeat(LINE_MAX_BYTES)]);
    const euros = createLineSplitter();
    const pieces = [...euros.push(bytes("€".repeat(10_000))), ...euros.flush()];
    expect(pieces.join("")).toBe("€".repeat(10_000));
    for (const piece of pieces) expect(bytes(piece).length).toBeLessThanOrEqual(LINE_MAX_BYTES);
    const noise = createLineSplitter();
    expect([...noise.push(new Uint8Array(LINE_MAX_BYTES * 2).fill(0x80)), ...noise.flush()]).toHaveLength(2);
  });
});

describe("a log buffer", () => {
  test("takes structured lines with their level, cut where output is, among the others", () => {
    const buffer = createLogBuffer();
    buffer.write("stdout", bytes("plain"), 1);
    buffer.log("warn", "db: slow\r\n\nvery", 2);
    buffer.log("error", "€".repeat(5_000), 3);
    buffer.endRun(4);
    const lines = buffer.lines(all);
    expect(lines.map(({ stream, level }) => `${stream} ${level}`)).toEqual([
      "logging warn",
      "logging warn",
      "logging warn",
      "logging error",
      "logging error",
      "stdout ",
    ]);
    expect(lines.map(({ text }) => text.length)).toEqual([8, 0, 4, 4_096, 904, 5]);
  });

  test("numbers lines and gives the last ones, or those after a number", () => {
    const buffer = createLogBuffer();
    buffer.write("stdout", bytes("one\ntwo\n"), 5);
    buffer.write("stderr", bytes("three\n"), 6);
    expect(buffer.lines(all)).toMatchObject([
      { sequence: 1, stream: "stdout", timeMs: 5, text: "one" },
      { sequence: 2, stream: "stdout", timeMs: 5, text: "two" },
      { sequence: 3, stream: "stderr", timeMs: 6, text: "three" },
    ]);
    expect(texts(buffer.lines({ afterSequence: 0, lastLines: 2 }))).toEqual(["two", "three"]);
    expect(texts(buffer.lines({ afterSequence: 2, lastLines: 0 }))).toEqual(["three"]);
    expect(buffer.lines({ afterSequence: 99, lastLines: 0 })).toEqual([]);
  });

  test("keeps the streams apart within a line, and ends open lines with the run", () => {
    const buffer = createLogBuffer();
    buffer.write("stdout", bytes("out"), 1);
    buffer.write("stderr", bytes("err"), 1);
    expect(buffer.lines(all)).toEqual([]);
    buffer.endRun(2);
    expect(texts(buffer.lines(all))).toEqual(["out", "err"]);
  });

  test("is bounded in lines and in length, and the numbers tell", () => {
    const few = createLogBuffer({ ...LOG_BUFFER_LIMITS, linesMax: 3 });
    for (let index = 1; index <= 20; index++) few.write("stdout", bytes(`${index}\n`), 1);
    expect(few.lines(all).map(({ sequence }) => sequence)).toEqual([18, 19, 20]);
    const short = createLogBuffer({ ...LOG_BUFFER_LIMITS, charactersMax: 10 });
    for (const text of ["aaaa", "bbbb", "cccc", "d".repeat(50)]) short.write("stdout", bytes(`${text}\n`), 1);
    expect(texts(short.lines(all))).toEqual(["d".repeat(50)]);
  });

  test("lets others follow: kept lines first, then new ones, then the end", async () => {
    const buffer = createLogBuffer();
    buffer.write("stdout", bytes("one\ntwo\n"), 1);
    const follower = buffer.follow(1);
    expect(texts(await follower.next())).toEqual(["two"]);
    const next = follower.next();
    buffer.write("stdout", bytes("three\n"), 1);
    expect(texts(await next)).toEqual(["three"]);
    const last = follower.next();
    buffer.end();
    expect(await last).toEqual([]);
    expect(texts(await buffer.follow(0).next())).toEqual(["one", "two", "three"]);
  });

  test("drops the oldest lines of a slow follower, with a jump in the numbers, and not those of a quick one", async () => {
    const buffer = createLogBuffer({ ...LOG_BUFFER_LIMITS, followerMaxLines: 2 });
    const [slow, quick] = [buffer.follow(0), buffer.follow(0)];
    const quickSaw: number[] = [];
    for (let index = 1; index <= 5; index++) {
      buffer.write("stdout", bytes(`${index}\n`), 1);
      quickSaw.push(...(await quick.next()).map(({ sequence }) => sequence));
    }
    expect(quickSaw).toEqual([1, 2, 3, 4, 5]);
    expect((await slow.next()).map(({ sequence }) => sequence)).toEqual([4, 5]);
  });

  test("lets a follower go, also one that waits", async () => {
    const follower = createLogBuffer().follow(0);
    const next = follower.next();
    follower.close();
    follower.close();
    expect(await next).toEqual([]);
  });
});

describe("the logs of a node", () => {
  test("go with the life of their instance", async () => {
    const logs = createLogStore({ clock: createVirtualClock() });
    const { id } = recordOf();
    logs.write(id, "stdout", bytes("half a line"));
    logs.note(recordOf({ state: "running" }));
    expect(logs.buffer(id).lines(all)).toEqual([]);
    logs.note(recordOf({ state: "backoff" }));
    expect(texts(logs.buffer(id).lines(all))).toEqual(["half a line"]);
    const follower = logs.buffer(id).follow(1);
    logs.note(recordOf({ state: "stopped" }));
    expect(await follower.next()).toEqual([]);
    const other = logs.buffer("other").follow(0);
    logs.close();
    expect(await other.next()).toEqual([]);
    logs.drop(id);
    logs.drop(id);
    expect(logs.buffer(id).lines(all)).toEqual([]);
  });

  test("of ended instances are bounded together, the first to end goes first", () => {
    const logs = createLogStore({ clock: createVirtualClock(), endedMaxCharacters: 25 });
    for (const id of ["a", "b", "c", "live"]) {
      logs.write(id, "stdout", bytes("0123456789\n"));
      if (id !== "live") logs.note(recordOf({ id, state: "stopped" }));
    }
    expect(["a", "b", "c", "live"].map((id) => logs.buffer(id).lines(all).length)).toEqual([0, 1, 1, 1]);
  });

  test("can be followed by so many at once", () => {
    const logs = createLogStore({ clock: createVirtualClock(), followersMax: 2 });
    const first = logs.follow("a", 0);
    logs.follow("b", 0);
    expect(() => logs.follow("c", 0)).toThrow(expect.objectContaining({ reason: Reason.TOO_MANY_REQUESTS }));
    first.close();
    first.close();
    logs.follow("c", 0).close();
  });
});
