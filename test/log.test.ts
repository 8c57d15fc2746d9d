import { describe, expect, test } from "vitest";
import { fault, Reason } from "../src/fault.ts";
import { createJsonLog, silentLog } from "../src/log.ts";

function logInto(
  lines: string[],
  level: "debug" | "info" | "warn" | "error" = "debug",
): ReturnType<typeof createJsonLog> {
  const clock = { nowMs: () => 0, steadyMs: () => 0, after: () => () => undefined };
  return createJsonLog({ write: (line) => void lines.push(line), level, clock, fields: { node: "n1" } });
}

describe("a JSON log", () => {
  test("writes one object a line with time, level, message and fields", () => {
    const lines: string[] = [];
    logInto(lines).with({ instance: "a" }).info("started", { restarts: 2 });
    expect(lines).toEqual([
      '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"started","node":"n1","instance":"a","restarts":2}',
    ]);
  });

  test("keeps its message when a field has the same name", () => {
    const lines: string[] = [];
    logInto(lines).warn("started", { message: "other", level: "fake" });
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ message: "started", level: "warn" });
  });

  test("drops what is less severe than its level", () => {
    const lines: string[] = [];
    const log = logInto(lines, "warn");
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(["c", "d"]);
  });

  test("writes the chain of causes with reasons, and a cause that is no error as text", () => {
    const lines: string[] = [];
    const inner = fault(Reason.PROVIDER_UNAVAILABLE, "Cannot read", { cause: "disk" });
    logInto(lines).error("failed", {}, new Error("outer", { cause: inner }));
    logInto(lines).error("failed", {}, { code: 7 });
    expect(lines[0]).toMatch(/outer.*caused by: .*Cannot read.*\[PROVIDER_UNAVAILABLE\].*caused by: disk/);
    expect(lines[1]).toContain('{\\"code\\":7}');
  });

  test("survives a cause that has no JSON form", () => {
    const lines: string[] = [];
    const circular: { self?: unknown } = {};
    circular.self = circular;
    logInto(lines).error("failed", {}, circular);
    logInto(lines).error("failed", {}, new Error("outer", { cause: 1n }));
    logInto(lines).error("failed", {}, () => undefined);
    expect(lines[0]).toContain("a value that cannot be written (object)");
    expect(lines[1]).toContain("caused by: a value that cannot be written (bigint)");
    expect(lines[2]).toContain('"cause":"function"');
  });

  test("that is silent writes nothing and goes on being silent", () => {
    const log = silentLog.with({ a: 1 });
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    expect(log).toBe(silentLog);
  });
});
