/** The program as a process of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort, runWasmatrix, startWasmatrix, type RunningProcess } from "../system/processes.ts";
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
  test("starts everything, finds its example again, names the flag of a taken port, and ends by Ctrl-C", async () => {
    const data = join(folder, "data");
    const flags = ["--port", "0", "--agent-port", "0", "--ingress-port", "0", "--data", data];
    const first = start("dev", "--example", "--json", ...flags);
    const running = await announced(first);
    const { example, controlPlane, agent } = running;
    expect(running).toMatchObject({
      dataDir: data,
      nodeId: expect.any(String),
      ingress: expect.stringMatching(/^http/),
    });
    expect(await (await fetch(`${controlPlane}/-/hello/`)).text()).toContain("Visits of /: 1");

    const taken = await runWasmatrix("dev", "--port", new URL(controlPlane).port, "--data", join(folder, "other"));
    expect(taken).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error: .*port is taken; choose another with --port\n$/),
    });
    const agentPort = new URL(agent).port;
    const takenAgent = await runWasmatrix(
      "dev",
      "--port",
      "0",
      "--agent-port",
      agentPort,
      "--ingress-port",
      "0",
      "--data",
      join(folder, "other"),
    );
    expect(takenAgent).toMatchObject({ code: 2, stderr: expect.stringContaining("with --agent-port") });
    const sameFolder = await runWasmatrix("dev", ...flags);
    expect(sameFolder).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(data) });

    expect(await first.kill("SIGINT")).toMatchObject({ code: 0, stderr: "" });
    const second = start("dev", "--example", "--json", ...flags);
    const again = await announced(second);
    expect(again.example).toMatchObject({ id: Reflect.get(example, "id") });
    expect(await (await fetch(`${again.controlPlane}/-/hello/`)).text()).toContain("Visits of /: 2");
    const list = await runWasmatrix("ps", "--json", "--address", again.controlPlane);
    expect(JSON.parse(list.stdout)).toMatchObject({ instances: [{ name: "hello" }] });
    expect(await second.kill("SIGTERM")).toMatchObject({ code: 0 });
  });

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

describe("cp and agent", () => {
  test("as two processes find each other, and end by Ctrl-C", async () => {
    const port = String(await freePort());
    const url = `http://127.0.0.1:${port}`;
    const agent = start(
      "agent",
      "--control-plane",
      url,
      "--port",
      "0",
      "--ingress-port",
      "0",
      "--data",
      join(folder, "agent"),
      "--node-id",
      "n-1",
      "--label",
      "zone=eu",
      "--instances-max",
      "3",
      "--memory-max",
      "1GiB",
      "--log-level",
      "error",
    );
    await vi.waitFor(() => expect(agent.output()).toMatch(/^node n-1: agent at http/m), 20_000);
    const controlPlane = start("cp", "--port", port, "--report-interval", "500ms", "--log-level", "warn");
    await vi.waitFor(
      () => expect(controlPlane.output()).toContain(`join it with: wasmatrix agent --control-plane ${url}`),
      20_000,
    );
    await vi.waitFor(() => expect(agent.output()).toContain("joined a control plane"), 20_000);
    const nodes = await runWasmatrix("nodes", "--address", url);
    expect(nodes.stdout).toMatch(/^n-1 +available +0 of 3 +0 B of 1 GiB .* zone=eu /m);
    expect(await agent.kill("SIGINT")).toMatchObject({ code: 0 });
    expect(await controlPlane.kill("SIGINT")).toMatchObject({ code: 0 });
  });
});

type Announcement = { readonly controlPlane: string; readonly agent: string; readonly example: object };

async function announced(one: RunningProcess): Promise<Announcement> {
  const line = await vi.waitFor(() => {
    const found = /^\{"controlPlane".*\}$/m.exec(one.output());
    if (found === null) throw new Error(`not announced: ${one.output()}`);
    return found[0];
  }, 20_000);
  const value: unknown = JSON.parse(line);
  const field = (name: string): unknown =>
    typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return {
    ...Object(value),
    controlPlane: String(field("controlPlane")),
    agent: String(field("agent")),
    example: Object(field("example")),
  };
}
