/** A control plane and an agent as separate processes, and what is left when one of them is killed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { freePort, runWasmatrix, startWasmatrix, type RunningProcess } from "./processes.ts";

const examples: string = join(import.meta.dirname, "..", "..", "examples");
const counter: string = join(examples, "http-counter", "http-counter.wasm");
const functions: string = join(examples, "functions", "functions.wasm");
const misbehave: string = join(examples, "misbehave", "misbehave.wasm");

/** Generous: several processes share the machine with whatever else it does. Every wait is for a condition. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
const soon = { timeout: 50_000, interval: 100 };

type Seen = {
  readonly id: string;
  readonly name?: string;
  readonly state: string;
  readonly restartCount?: number;
  readonly lastTermination?: { readonly cause?: string; readonly message?: string };
};

let dataDir: string;
let controlPlanePort: number;
let ingressPort: number;
let controlPlane: RunningProcess;
let agent: RunningProcess;
const processes: RunningProcess[] = [];

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "wasmatrix-faults-"));
  controlPlanePort = await freePort();
  ingressPort = await freePort();
  controlPlane = startControlPlane();
  agent = startAgent();
  await untilNodeIsAvailable();
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.kill("SIGKILL")));
  rmSync(dataDir, { recursive: true, force: true });
});

describe("when the control plane is killed", () => {
  test("instances go on answering, and a new one knows them again from the agent's reports", async () => {
    const id = await run(counter, "--name", "hello", "--allow-kv");
    expect(await visit("hello")).toContain("1");
    await controlPlane.kill("SIGKILL");
    expect(await visit("hello")).toContain("2");
    controlPlane = startControlPlane();
    await vi.waitFor(
      async () => expect(await instances()).toMatchObject([{ id, state: "INSTANCE_STATE_RUNNING" }]),
      soon,
    );
    const inspected = JSON.parse((await wasmatrix("inspect", "hello", "--json")).stdout) as { assignments?: unknown[] };
    expect(JSON.stringify(inspected)).toContain("kv:write");
  });

  test("a start that is retried with its key on the new one yields the same instance", async () => {
    // A control plane that has just come up waits until it can be sure that a key was not used before.
    const started = (): Promise<string> => vi.waitFor(() => run(functions, "--idempotency-key", "once"), soon);
    const id = await started();
    await controlPlane.kill("SIGKILL");
    controlPlane = startControlPlane();
    await vi.waitFor(async () => expect(await instances()).toHaveLength(1), soon);
    expect(await started()).toBe(id);
    expect(await instances()).toHaveLength(1);
  });
});

describe("when the agent is killed", () => {
  test("what its policy brings back runs again, the rest is lost, and no stop is undone", async () => {
    const kept = await run(counter, "--name", "kept", "--allow-kv", "--restart", "always");
    const lost = await run(functions, "--name", "lost");
    const stopped = await run(functions, "--name", "stopped", "--restart", "always");
    expect(await visit("kept")).toContain("1");
    expect((await wasmatrix("stop", stopped)).code).toBe(0);
    await agent.kill("SIGKILL");
    agent = startAgent();

    await vi.waitFor(async () => {
      const states = new Map((await instances(true)).map((each) => [each.id, each]));
      expect(states.get(kept)).toMatchObject({ state: "INSTANCE_STATE_RUNNING", restartCount: 1 });
      expect(states.get(lost)).toMatchObject({
        state: "INSTANCE_STATE_LOST",
        lastTermination: { cause: "TERMINATION_CAUSE_AGENT_LOST" },
      });
      expect(states.get(stopped)).toMatchObject({ state: "INSTANCE_STATE_STOPPED" });
      expect(states.size).toBe(3);
    }, soon);
    expect(await visit("kept"), "the key-value data is still there").toContain("2");
    const facts = (await wasmatrix("facts", "--json")).stdout;
    expect(facts).toContain("FACT_KIND_INSTANCE_LOST");
  });

  test("its instances are unknown while it is silent, never running", async () => {
    await run(functions, "--name", "unsure", "--restart", "always");
    await agent.kill("SIGKILL");
    await vi.waitFor(async () => expect(await instances()).toMatchObject([{ state: "INSTANCE_STATE_UNKNOWN" }]), soon);
    const refused = await wasmatrix("invoke", "unsure", "add", "1", "2");
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/^error: /);
    agent = startAgent();
    await vi.waitFor(async () => expect(await instances()).toMatchObject([{ state: "INSTANCE_STATE_RUNNING" }]), soon);
    expect((await wasmatrix("invoke", "unsure", "add", "1", "2")).stdout).toContain("3");
  });
});

describe("when both are killed at once", () => {
  test("all comes back from the agent's journal", async () => {
    const id = await run(counter, "--name", "hello", "--allow-kv", "--restart", "on-failure");
    await Promise.all([agent.kill("SIGKILL"), controlPlane.kill("SIGKILL")]);
    controlPlane = startControlPlane();
    agent = startAgent();
    await vi.waitFor(
      async () => expect(await instances()).toMatchObject([{ id, state: "INSTANCE_STATE_RUNNING" }]),
      soon,
    );
    expect(await visit("hello")).toContain("1");
  });
});

describe("when a guest's worker dies", () => {
  test.each([
    ["a trap", "/trap", "TERMINATION_CAUSE_TRAPPED"],
    ["an endless loop", "/loop", "TERMINATION_CAUSE_LIMIT"],
    ["an exit", "/exit", "TERMINATION_CAUSE_EXITED"],
  ])("by %s, it is restarted by its policy, and its neighbour does not notice", async (_, path, cause) => {
    const id = await run(misbehave, "--name", "bad", "--restart", "always", "--backoff", "10ms", "--timeout", "500ms");
    await run(counter, "--name", "good", "--allow-kv");
    expect((await fetch(url("bad", path))).status).toBeGreaterThanOrEqual(500);
    expect(await visit("good")).toContain("1");
    await vi.waitFor(async () => {
      const bad = (await instances()).find((each) => each.id === id);
      expect(bad).toMatchObject({ state: "INSTANCE_STATE_RUNNING", restartCount: 1, lastTermination: { cause } });
    }, soon);
    expect((await fetch(url("bad", "/ok"))).status).toBe(200);
  });
});

async function untilNodeIsAvailable(): Promise<void> {
  await vi.waitFor(async () => {
    const { stdout } = await wasmatrix("nodes", "--json");
    if (!stdout.includes("NODE_STATE_AVAILABLE")) throw new Error(`No node is available yet: ${stdout}`);
  }, soon);
}

function startControlPlane(): RunningProcess {
  return keep(startWasmatrix(["cp", "--port", String(controlPlanePort)]));
}

function startAgent(): RunningProcess {
  const ports = ["--port", "0", "--ingress-port", String(ingressPort)];
  return keep(startWasmatrix(["agent", "--control-plane", address(), "--data", dataDir, ...ports]));
}

function keep(started: RunningProcess): RunningProcess {
  processes.push(started);
  return started;
}

function address(): string {
  return `http://127.0.0.1:${String(controlPlanePort)}`;
}

function wasmatrix(...args: readonly string[]): ReturnType<typeof runWasmatrix> {
  return runWasmatrix(...args, "--address", address());
}

/** Starts an instance and answers its id. */
async function run(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await wasmatrix("run", ...args, "--wait", "--json");
  if (code !== 0) throw new Error(`Cannot run ${args.join(" ")}: ${stderr}`);
  const id = /"id":\s*"([a-z0-9]{20})"/.exec(stdout)?.[1];
  if (id === undefined) throw new Error(`Cannot find an id in: ${stdout}`);
  return id;
}

/** Asks the API itself: a process for each look would take longer than what is looked for. */
async function instances(includeEnded: boolean = false): Promise<readonly Seen[]> {
  const response = await fetch(`${address()}/wasmatrix.v1.ControlPlaneService/ListInstances`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ includeEnded }),
  });
  const { instances: seen } = (await response.json()) as { readonly instances?: readonly Seen[] };
  return seen ?? [];
}

async function visit(name: string): Promise<string> {
  return (await fetch(url(name, "/"))).text();
}

function url(name: string, path: string): string {
  return `http://127.0.0.1:${String(ingressPort)}/-/${name}${path}`;
}
