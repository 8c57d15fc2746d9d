/** The program as a process of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { runWasmatrix, startWasmatrix, type RunningProcess } from "../system/processes.ts";
import { instanceWith, startScripted, type ScriptedControlPlane } from "./scripted-control-plane.ts";

let folder: string;
let scripted: ScriptedControlPlane;
const started: RunningProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasmatrix-cli-process-"));
  scripted = await startScripted({
    queryInstance: () => ({ instance: instanceWith() }),
    // Far more than a pipe takes.
    listInstances: () => ({
      instances: Array.from({ length: 5000 }, (_, n) => instanceWith({ name: `n${String(n)}` })),
    }),
    async *tailLogs(_request, { signal }) {
      yield { lines: [{ instanceId: "x", sequence: 1n, stream: 1, text: "first" }] };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
});
afterEach(async () => {
  for (const one of started.splice(0)) await one.kill("SIGKILL");
});
afterAll(async () => {
  await scripted.close();
  await rm(folder, { recursive: true, force: true });
});

function start(...args: string[]): RunningProcess {
  const one = startWasmatrix(args);
  started.push(one);
  return one;
}

describe("the process", () => {
  test("ends with the exit code of what happened", async () => {
    expect(await runWasmatrix("version")).toMatchObject({ code: 0, stderr: "" });
    expect(await runWasmatrix("nosuch")).toMatchObject({ code: 2, stdout: "" });
    expect(await runWasmatrix("ps", "--address", "http://127.0.0.1:1")).toMatchObject({ code: 5, stdout: "" });
    expect(await runWasmatrix("inspect", "x", "--address", scripted.url)).toMatchObject({ code: 0, stderr: "" });
  });

  test("writes all of a long answer before it ends", async () => {
    const { stdout, code } = await runWasmatrix("ps", "--address", scripted.url);
    expect(code).toBe(0);
    expect(stdout.split("\n")).toHaveLength(5002);
  });

  test("ends quietly if the reader of its output goes away", async () => {
    const one = start("ps", "--address", scripted.url);
    one.child.stdout?.once("data", () => one.child.stdout?.destroy());
    expect(await one.ended).toMatchObject({ code: 141, stderr: "" });
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends a followed stream by %s with %i", async (signal, code) => {
    const one = start("logs", "-f", "x", "--address", scripted.url);
    await vi.waitFor(() => expect(one.output()).toContain("first"), 10_000);
    expect(await one.kill(signal)).toMatchObject({ code, stdout: "first\n", stderr: "" });
  });
});

describe("dev", () => {
  test("tells a person where everything is, how to try it and how to stop", async () => {
    const one = start(
      "dev",
      "--port",
      "0",
      "--agent-port",
      "0",
      "--ingress-port",
      "0",
      "--data",
      join(folder, "people"),
      "--token",
      "sesame-open",
    );
    await vi.waitFor(() => expect(one.output()).toMatch(/^stop: +Ctrl-C$/m), 20_000);
    expect(one.output()).toMatch(/^control plane: +http:\/\/127\.0\.0\.1:\d+ /m);
    expect(one.output()).toContain(join(folder, "people"));
    expect(one.output()).not.toContain("sesame-open");
    expect(await one.kill("SIGINT")).toMatchObject({ code: 0, stderr: "stopped\n" });
  });
});
