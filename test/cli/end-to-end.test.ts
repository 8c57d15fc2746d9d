/** Every client command against a real control plane and a real agent. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Interrupt } from "../../src/cli/cli-io.ts";
import { endlessCommand, exitingCommand, largeCommand, trappingCommand } from "./wat-command.ts";
import { exampleFile, startRealFleet, type RealFleet } from "./real-fleet.ts";

let fleet: RealFleet;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasmatrix-cli-files-"));
  fleet = await startRealFleet();
});

afterAll(async () => {
  await fleet.close();
  await rm(folder, { recursive: true, force: true });
});

async function moduleFile(name: string, bytes: Uint8Array): Promise<string> {
  const file = join(folder, `${name}.wasm`);
  await writeFile(file, bytes);
  return file;
}

describe("an HTTP service", () => {
  test("is started, listed, inspected, called, denied, granted, revoked and stopped", async () => {
    const run = await fleet.cli([
      "run",
      exampleFile("http-counter"),
      // Of the bucket that it uses, nothing is said.
      "--allow-kv=elsewhere:read",
      "--name",
      "visits",
      "--label",
      "team=web",
      "--wait",
    ]);
    expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[a-z0-9]{20}\n$/) });
    expect(run.stderr).toContain(`serving at ${fleet.url}/-/visits/`);
    const id = run.stdout.trim();

    const ps = await fleet.cli(["ps", "--name", "visits"]);
    expect(ps.stdout.split("\n")[1]).toMatch(new RegExp(`^${id.slice(0, 8)}  visits  running  http +${fleet.nodeId} `));
    const whole = await fleet.cli([
      "ps",
      "--label",
      "team=web",
      "--state",
      "running",
      "--node",
      fleet.nodeId,
      "--no-trunc",
    ]);
    expect(whole.stdout).toContain(`${id}  visits`);
    expect((await fleet.cli(["ps", "--label", "team=other"])).stdout.trim().split("\n")).toHaveLength(1);

    const url = `${fleet.url}/-/visits/`;
    const denied = await (await fetch(url)).text();
    const granted = await fleet.cli(["grant", id.slice(0, 6), "--allow-kv"]);
    expect(granted).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("kv default: kv:read, kv:write, kv:delete"),
    });
    const counted = await (await fetch(url)).text();
    expect(counted).not.toBe(denied);
    expect(counted).toContain("Visits of /: 1");

    const revoked = await fleet.cli(["revoke", "visits", "--allow-kv=:write,delete"]);
    expect(revoked.stdout).toMatch(/^ {2}kv default: kv:read( |$)/m);
    expect(await (await fetch(url)).text()).not.toContain("Visits of /: 2");
    expect((await fleet.cli(["revoke", "visits", "--allow-kv=elsewhere:read"])).code).toBe(0);
    expect((await fleet.cli(["revoke", "visits", "--allow-kv"])).stdout).toBe(`${id} may do nothing\n`);

    const inspected = await fleet.cli(["inspect", "visits"]);
    expect(inspected.stdout).toMatch(/^state: +running$/m);
    expect(inspected.stdout).toMatch(/^refused: +[1-9]/m);
    const document: unknown = JSON.parse((await fleet.cli(["inspect", "visits", "--json"])).stdout);
    expect(document).toMatchObject({
      id,
      state: "INSTANCE_STATE_RUNNING",
      labels: { team: "web" },
      restartCount: 0,
      assignments: [],
    });

    expect(await fleet.cli(["stop", "visits"])).toEqual({ code: 0, stdout: `${id}\n`, stderr: "" });
    await vi.waitFor(async () => {
      const list: unknown = JSON.parse((await fleet.cli(["ps", "-a", "--name", "visits", "--json"])).stdout);
      expect(list).toMatchObject({ instances: [{ id, state: "INSTANCE_STATE_STOPPED" }] });
    });
    // Denials are gathered for a moment before they are told.
    await vi.waitFor(async () => {
      const facts = await fleet.cli(["facts", "--instance", id, "--json"]);
      const kinds = facts.stdout
        .trim()
        .split("\n")
        .map((line) => String(Reflect.get(JSON.parse(line), "kind")));
      expect(kinds).toEqual(
        expect.arrayContaining([
          "FACT_KIND_INSTANCE_RUNNING",
          "FACT_KIND_CAPABILITY_DENIED",
          "FACT_KIND_INSTANCE_STOPPED",
        ]),
      );
    }, 10_000);
  });

  test("with --unique is refused while another has the name, and started otherwise", async () => {
    const first = await fleet.cli(["run", exampleFile("http-counter"), "--deny-kv", "--name", "only", "--unique"]);
    expect(first.code).toBe(0);
    const second = await fleet.cli(["run", exampleFile("http-counter"), "--deny-kv", "--name", "only", "--unique"]);
    expect(second).toMatchObject({ code: 4, stdout: "", stderr: expect.stringContaining("hint: stop the other one") });
    expect((await fleet.cli(["stop", "only", "--grace", "0"])).code).toBe(0);
  });

  test("started again with the same idempotency key is the same instance", async () => {
    const start = (): ReturnType<RealFleet["cli"]> =>
      fleet.cli(["run", exampleFile("http-counter"), "--deny-kv", "--idempotency-key", "mine"]);
    // A key may have been used before: a control plane that has just come up waits until it can be sure.
    await vi.waitFor(async () => expect(await start()).toMatchObject({ code: 0 }), { timeout: 30_000, interval: 500 });
    const [first, second] = [await start(), await start()];
    expect(first.code).toBe(0);
    expect(second).toEqual(first);
    await fleet.cli(["stop", first.stdout.trim()]);
  });

  test("started several times shares a name, and each is an instance", async () => {
    const run = await fleet.cli(["run", exampleFile("http-counter"), "--deny-kv", "--name", "many", "--count", "3"]);
    const ids = run.stdout.trim().split("\n");
    expect(new Set(ids).size).toBe(3);
    const ambiguous = await fleet.cli(["inspect", "many"]);
    expect(ambiguous).toMatchObject({ code: 2, stderr: expect.stringContaining("hint: give more of the id") });
    const stopped = await fleet.cli(["stop", ...ids, "nosuchinstance"]);
    expect(stopped.code).toBe(3);
    expect(stopped.stdout.trim().split("\n").toSorted()).toEqual(ids.toSorted());
  });

  test("has its URL for a module fetched by the control plane", async () => {
    const missing = await fleet.cli(["run", "http://127.0.0.1:1/app.wasm"]);
    expect(missing).toMatchObject({ code: 4, stdout: "" });
  });
});

describe("a command", () => {
  test("that ends with another code than 0 gives its code to the caller who waits, and only to that one", async () => {
    const file = await moduleFile("exit-7", exitingCommand(7));
    expect(await fleet.cli(["run", file, "--wait"])).toEqual({ code: 7, stdout: "", stderr: "" });
    expect(await fleet.cli(["run", file])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^[a-z0-9]{20}\n$/),
    });
    // 256 has no bit that an exit code keeps, and still must not look like success.
    expect((await fleet.cli(["run", await moduleFile("exit-256", exitingCommand(256)), "--wait"])).code).not.toBe(0);
  });

  test("that traps or takes too long is told as failed", async () => {
    const trapped = await fleet.cli(["run", await moduleFile("trap", trappingCommand()), "--name", "trap", "--wait"]);
    expect(trapped).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .*"trap" failed \(trapped\): .*unreachable/),
    });
    const late = await fleet.cli([
      "run",
      await moduleFile("endless", endlessCommand()),
      "--timeout",
      "200ms",
      "--wait",
    ]);
    expect(late).toMatchObject({ code: 6, stderr: expect.stringContaining("limit command_timeout_ms") });
  });

  test("is restarted as its policy says, and then given up", async () => {
    const file = await moduleFile("exit-7", exitingCommand(7));
    const flags = ["--name", "again", "--restart", "on-failure:2", "--backoff", "10ms", "--wait", "--json"];
    const run = await fleet.cli(["run", file, ...flags]);
    expect(run.code).toBe(7);
    const last: unknown = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "");
    expect(last).toMatchObject({
      instances: [{ restartCount: 2, restartPolicy: { mode: "RESTART_MODE_ON_FAILURE", maxRetries: 2 } }],
    });
  });

  test("too large to send along is uploaded once, with a bar on a terminal only", async () => {
    const file = await moduleFile("large", largeCommand(600_000));
    const first = await fleet.cli(["run", file, "--count", "3"], { isTerminal: true, env: { NO_COLOR: "1" } });
    expect(first.code).toBe(0);
    expect(first.stdout.trim().split("\n")).toHaveLength(3);
    expect(first.stderr.match(/100 %/g)).toHaveLength(1);
    expect(first.stderr.endsWith("\r\u001b[K")).toBe(true);
    expect(await fleet.cli(["run", file], { isTerminal: true })).toMatchObject({ code: 0, stderr: "" });
  });

  test("waited for passes its output on and ends with its exit code", async () => {
    const stdin = join(folder, "numbers.txt");
    await writeFile(stdin, "1\n2\n3\n");
    const fromFile = await fleet.cli(["run", exampleFile("stats"), "--stdin", stdin, "--wait"]);
    expect(fromFile).toMatchObject({ code: 0, stderr: "" });
    expect(fromFile.stdout).toMatch(/3/);
    const piped = await fleet.cli(["run", exampleFile("stats"), "--stdin", "-", "--wait"], { stdin: "1\n2\n3\n" });
    expect(piped).toEqual(fromFile);
  });

  test("as JSON gives its lines and then the instance", async () => {
    const run = await fleet.cli(["run", exampleFile("stats"), "--stdin", "-", "--wait", "--json"], { stdin: "1\n" });
    const lines = run.stdout
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines[0]).toMatchObject({ stream: "LOG_STREAM_STDOUT", text: expect.any(String) });
    expect(lines.at(-1)).toMatchObject({ instances: [{ state: "INSTANCE_STATE_EXITED" }], failed: [] });
  });

  test("not waited for has its output in the logs", async () => {
    const run = await fleet.cli(["run", exampleFile("stats"), "--stdin", "-", "--name", "sums"], { stdin: "4\n5\n" });
    const id = run.stdout.trim();
    const logs = await fleet.cli(["logs", "-f", "-t", id]);
    expect(logs.code).toBe(0);
    expect(logs.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z \S/);
    const last = await fleet.cli(["logs", "-n", "1", id]);
    expect(last.stdout.trim().split("\n")).toHaveLength(1);
  });
});

describe("a module with functions", () => {
  test("answers what is invoked, and refuses what does not fit", async () => {
    const run = await fleet.cli(["run", exampleFile("functions"), "--name", "calc"]);
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(await fleet.cli(["invoke", "calc", "add", "2", "-3"])).toEqual({ code: 0, stdout: "-1\n", stderr: "" });
    const json = await fleet.cli(["invoke", "calc", "add", "--args-json", "[2, 3]", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({ results: [5], instanceId: run.stdout.trim() });
    expect(await fleet.cli(["invoke", "calc", "nosuch"])).toMatchObject({ code: 3, stdout: "" });
    expect(await fleet.cli(["invoke", "calc", "add", "two", "3"])).toMatchObject({ code: 2, stdout: "" });
    await fleet.cli(["stop", "calc"]);
    expect(await fleet.cli(["invoke", run.stdout.trim(), "add", "2", "3"])).toMatchObject({ code: 4 });
  });
});

describe("what goes wrong", () => {
  test("in a module is refused with a code, a sentence and nothing left behind", async () => {
    const text = join(folder, "text.wasm");
    await writeFile(text, "(module)");
    expect(await fleet.cli(["run", text])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error: .*(?:Wasm|WebAssembly).*\nhint: compile it/),
    });
    const digest = `sha256:${"0".repeat(64)}`;
    expect(await fleet.cli(["run", exampleFile("stats"), "--digest", digest])).toMatchObject({ code: 4, stdout: "" });
    expect(await fleet.cli(["run", digest])).toMatchObject({ code: 3, stdout: "" });
    expect(await fleet.cli(["run", exampleFile("stats"), "--node", "nosuchnode"])).toMatchObject({ stdout: "" });
    expect(await fleet.cli(["run", exampleFile("stats"), "--name", "Not A Label"])).toMatchObject({
      code: 2,
      stdout: "",
    });
  });

  test("with an id is told as not found", async () => {
    // As long as an id: a short prefix may well be that of an instance.
    const absent = "z".repeat(20);
    for (const argv of [
      ["inspect", absent],
      ["stop", absent],
      ["logs", absent],
      ["invoke", absent, "f"],
      ["grant", absent, "--allow-kv"],
      ["revoke", absent, "--allow-kv"],
      ["facts", "--instance", absent],
    ]) {
      expect(await fleet.cli(argv), argv.join(" ")).toMatchObject({
        code: 3,
        stdout: "",
        stderr: expect.stringContaining("hint: list instances with: wasmatrix ps -a"),
      });
    }
  });
});

describe("nodes and completion", () => {
  test("show the node, its room and its providers", async () => {
    const nodes = await fleet.cli(["nodes"]);
    expect(nodes.stdout).toMatch(
      new RegExp(`^${fleet.nodeId}  available +\\d+ of 50 .* env, files, http, kv, kv-memory, messaging `, "m"),
    );
    expect(JSON.parse((await fleet.cli(["nodes", "--json"])).stdout)).toMatchObject({
      nodes: [{ info: { nodeId: fleet.nodeId } }],
    });
  });

  test("offer names and ids", async () => {
    const id = (await fleet.cli(["run", exampleFile("http-counter"), "--deny-kv", "--name", "offered"])).stdout.trim();
    await vi.waitFor(async () =>
      expect((await fleet.cli(["__complete", "instances"])).stdout.split("\n")).toEqual(
        expect.arrayContaining(["offered", id]),
      ),
    );
    expect((await fleet.cli(["__complete", "nodes"])).stdout).toBe(`${fleet.nodeId}\n`);
    await fleet.cli(["stop", id]);
  });
});

describe("Ctrl-C", () => {
  test("while a guest is waited for stops it", async () => {
    const file = await moduleFile("endless", endlessCommand());
    const controller = new AbortController();
    const waiting = fleet.cli(["run", file, "--name", "endless", "--wait"], { signal: controller.signal });
    await vi.waitFor(
      async () =>
        expect((await fleet.cli(["ps", "--name", "endless", "--state", "running"])).stdout).toContain("endless"),
      10_000,
    );
    controller.abort(new Interrupt("SIGINT"));
    expect(await waiting).toEqual({ code: 130, stdout: "", stderr: "note: stopped 1 instance\n" });
    await vi.waitFor(async () =>
      expect((await fleet.cli(["ps", "--name", "endless"])).stdout).not.toContain("endless"),
    );
  });

  test("ends a followed stream at once", async () => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const controller = new AbortController();
      const following = fleet.cli(["facts", "-f"], {
        signal: controller.signal,
        onStdout: () => controller.abort(new Interrupt(signal)),
      });
      expect(await following).toMatchObject({ code, stderr: "" });
    }
  });
});
