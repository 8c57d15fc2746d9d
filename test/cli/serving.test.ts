/** `dev`, `cp` and `agent`, in this process; that they end by a real signal is tested in `process.test.ts`. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Interrupt } from "../../src/cli/cli-io.ts";
import { runCli } from "../../src/cli/run-cli.ts";
import { createCapturedIo, runCaptured, type CapturedIoOptions, type CliResult } from "./captured-io.ts";

const ANY_PORTS = ["--port", "0", "--agent-port", "0", "--ingress-port", "0"];

let folder: string;
const serving: { end(): Promise<CliResult> }[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasmatrix-cli-serving-"));
});
afterEach(async () => {
  for (const one of serving.splice(0)) await one.end();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Serving = { readonly stdout: () => string; readonly stderr: () => string; end(): Promise<CliResult> };

/** Runs a command that serves until it is ended, as if by Ctrl-C. */
function serve(argv: readonly string[], options: CapturedIoOptions = {}, logLevel = "error"): Serving {
  const controller = new AbortController();
  const captured = createCapturedIo({ ...options, signal: controller.signal });
  const code = runCli([...argv, "--grace", "0", "--log-level", logLevel], captured.io);
  const one = {
    stdout: captured.stdout,
    stderr: captured.stderr,
    async end() {
      controller.abort(new Interrupt("SIGINT"));
      return { code: await code, stdout: captured.stdout(), stderr: captured.stderr() };
    },
  };
  serving.push(one);
  return one;
}

/** The line of JSON that says where it serves. */
async function announced(one: Serving): Promise<Readonly<Record<string, unknown>>> {
  await vi.waitFor(() => expect(one.stdout(), one.stderr()).toMatch(/^\{.*\}\n$/), 80_000);
  return { ...Object(JSON.parse(one.stdout())) };
}

describe("dev --example", () => {
  test("serves it, and finds it and its data again by the next start", async () => {
    const data = join(folder, "example");
    const flags = ["dev", "--example", "--json", "--data", data, ...ANY_PORTS];
    const first = serve(flags);
    const running = await announced(first);
    expect(running).toMatchObject({
      dataDir: data,
      ingress: expect.stringMatching(/^http/),
      agent: expect.stringMatching(/^http/),
    });
    const id: unknown = Reflect.get(Object(running["example"]), "id");
    expect(await visits(running)).toContain("Visits of /: 1");
    expect(await first.end()).toMatchObject({ code: 0, stderr: "" });

    const second = serve(flags);
    const again = await announced(second);
    expect(again["example"]).toMatchObject({
      id,
      urls: expect.arrayContaining([`${String(again["ingress"])}/-/hello/`]),
    });
    expect(await visits(again)).toContain("Visits of /: 2");
    const list = await runCaptured(["ps", "--json", "--address", String(again["controlPlane"])]);
    expect(JSON.parse(list.stdout)).toMatchObject({ instances: [{ id, name: "hello" }] });

    const stopped = await runCaptured(["stop", "hello", "--address", String(again["controlPlane"])]);
    expect(stopped.code).toBe(0);
    await second.end();
    const third = await announced(serve(flags));
    // What was stopped stays stopped; whoever asks for the example gets a new one.
    expect(third["example"]).toMatchObject({ id: expect.not.stringContaining(String(id)) });
    // Three starts, each of which compiles nothing twice but may have to wait for a busy machine.
  }, 90_000);
});

describe("dev", () => {
  test("tells a person where everything is, how to try it and how to stop it, but no token", async () => {
    const one = serve(["dev", "--example", "--data", join(folder, "people"), "--token", "sesame-open", ...ANY_PORTS]);
    await vi.waitFor(() => expect(one.stdout(), one.stderr()).toMatch(/^stop: +Ctrl-C$/m), 25_000);
    const [, controlPlane = ""] = /^control plane: +(\S+)/m.exec(one.stdout()) ?? [];
    expect(one.stdout()).toContain(`data folder:      ${join(folder, "people")}\n`);
    expect(one.stdout()).toContain(`shared folders:   ${process.cwd()}\n`);
    expect(one.stdout()).toMatch(/^try it: +curl http:\/\/hello\.localhost:\d+\/$/m);
    expect(one.stdout()).toContain(`wasmatrix ps --address ${controlPlane}\n`);
    expect(one.stdout()).toMatch(/^token: .*--token or WASMATRIX_TOKEN$/m);
    expect(await runCaptured(["ps", "--address", controlPlane])).toMatchObject({ code: 4, stdout: "" });
    expect(await runCaptured(["ps", "--address", controlPlane, "--token", "sesame-open"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("hello"),
    });
    expect(await one.end()).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining("sesame"),
      stderr: "stopped\n",
    });
  });

  test("started by npm, names the command line as npm has it", async () => {
    const flags = ["dev", "--data", join(folder, "npm"), ...ANY_PORTS];
    const one = serve(flags, { env: { npm_lifecycle_event: "start" } });
    await vi.waitFor(() => expect(one.stdout(), one.stderr()).toMatch(/^stop: +Ctrl-C$/m), 25_000);
    expect(one.stdout()).toMatch(/^look: +npm run -s wasmatrix -- ps --address /m);
  });

  test("names the flag of each port that is taken, and leaves nothing running", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = String(typeof address === "object" && address !== null ? address.port : 0);
    try {
      for (const flag of ["--port", "--agent-port", "--ingress-port"]) {
        const result = await runCaptured(["dev", "--data", join(folder, "taken"), ...ANY_PORTS, flag, port]);
        expect(result).toMatchObject({ code: 2, stdout: "" });
        expect(result.stderr).toBe(
          `error: Cannot listen on 127.0.0.1:${port}: port is taken; choose another with ${flag}\n`,
        );
      }
      // The folder is free again.
      expect(await announced(serve(["dev", "--json", "--data", join(folder, "taken"), ...ANY_PORTS]))).toHaveProperty(
        "controlPlane",
      );
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  test("refuses a data folder that another one uses", async () => {
    const data = join(folder, "shared");
    await announced(serve(["dev", "--json", "--data", data, ...ANY_PORTS]));
    const other = await runCaptured(["dev", "--data", data, ...ANY_PORTS]);
    expect(other).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(data) });
  });
});

describe("agent", () => {
  const flags = ["--port", "0", "--ingress-port", "0"];

  test("shares what it is told to, and reports it", async () => {
    const controlPlane = String((await announced(serve(["cp", "--port", "0", "--json"])))["controlPlane"]);
    const share = [
      "--share-folder",
      "to-share",
      "--share-folder",
      folder,
      "--share-env",
      "LANG,TZ",
      "--share-env",
      "A",
    ];
    await mkdir(join(folder, "to-share"));
    serve(["agent", "--control-plane", controlPlane, "--data", join(folder, "sharing"), ...share, ...flags], {
      workDir: folder,
    });
    await vi.waitFor(async () => {
      const { stdout } = await runCaptured(["nodes", "--json", "--address", controlPlane]);
      expect(JSON.parse(stdout)).toMatchObject({
        nodes: [{ info: { sharedFolders: [join(folder, "to-share"), folder], sharedEnvNames: ["A", "LANG", "TZ"] } }],
      });
    }, 25_000);
  });

  test("shares no folder that is not there, and no setting of its own", async () => {
    const argv = ["agent", "--control-plane", "http://127.0.0.1:1", "--data", join(folder, "sharing-none"), ...flags];
    expect(await runCaptured([...argv, "--share-folder", "/nonexistent"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Cannot share folder "/nonexistent"'),
    });
    expect(await runCaptured([...argv, "--share-env", "LANG,WASMATRIX_TOKEN"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"WASMATRIX_TOKEN" is a setting of Wasmatrix itself'),
    });
    expect(await runCaptured([...argv, "--share-env", "A=1"])).toMatchObject({ code: 2 });
  });

  test("writes nothing but lines of JSON to stderr", async () => {
    const controlPlane = String((await announced(serve(["cp", "--port", "0", "--json"])))["controlPlane"]);
    const agent = serve(
      ["agent", "--control-plane", controlPlane, "--data", join(folder, "logging"), ...flags],
      {},
      "info",
    );
    await vi.waitFor(() => expect(agent.stderr()).toContain('"message":"joined a control plane"'), 25_000);
    const { stderr } = await agent.end();
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("message");
  });

  test("says what is wrong with a data folder", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const data = join(file, "below");
    const argv = ["agent", "--control-plane", "http://127.0.0.1:1", "--data", data, ...flags];
    const result = await runCaptured(argv);
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toContain(`error: Cannot use data folder "${data}": ENOTDIR`);
    expect(result.stderr).toContain("choose another with --data");
  });

  test("is not announced to another machine by an address that means that machine there", async () => {
    const data = join(folder, "unreachable");
    const argv = ["agent", "--control-plane", "http://cp.invalid:7420", "--data", data, ...flags];
    const result = await runCaptured(argv);
    expect(result).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("set --advertise") });
  });
});

describe("cp and agent", () => {
  test("find each other, whichever comes first", async () => {
    const agentFlags = [
      "--port",
      "0",
      "--ingress-port",
      "0",
      "--node-id",
      "n-1",
      "--label",
      "zone=eu",
      "--instances-max",
      "3",
      "--memory-max",
      "1GiB",
    ];
    const controlPlane = serve(["cp", "--port", "0", "--report-interval", "500ms", "--json"]);
    const url = String((await announced(controlPlane))["controlPlane"]);
    const agent = serve([
      "agent",
      "--control-plane",
      url,
      "--data",
      join(folder, "agent"),
      "--advertise",
      "http://rack-7:1",
      ...agentFlags,
    ]);
    await vi.waitFor(
      async () => expect((await runCaptured(["nodes", "--address", url])).stdout).toContain("n-1"),
      25_000,
    );
    expect(agent.stdout()).toMatch(/^node n-1: agent at http:\S+, ingress at http:\S+\ndata folder: /);
    const nodes = await runCaptured(["nodes", "--address", url]);
    expect(nodes.stdout).toMatch(/^n-1 +available +0 of 3 +0 B of 1 GiB +http:\/\/rack-7:1 .* zone=eu /m);
    expect(await agent.end()).toMatchObject({ code: 0 });
    expect(await controlPlane.end()).toMatchObject({ code: 0, stderr: "" });
  });

  test("tell a person how they belong together", async () => {
    const one = serve(["cp", "--port", "0"]);
    await vi.waitFor(
      () =>
        expect(one.stdout()).toMatch(
          /^control plane at (http:\S+)\njoin it with: wasmatrix agent --control-plane \1\nstop it with: Ctrl-C\n$/,
        ),
      25_000,
    );
    const guarded = serve(["cp", "--port", "0", "--host", "0.0.0.0", "--token", "sesame-open"]);
    await vi.waitFor(() => expect(guarded.stdout()).toMatch(/^stop it with/m), 25_000);
    expect(guarded.stdout()).toMatch(
      /--control-plane http:\/\/THIS-MACHINE:\d+\nagents and callers must show the token/,
    );
    expect(guarded.stdout()).not.toContain("sesame");
    const lonely = serve([
      "agent",
      "--control-plane",
      "http://127.0.0.1:1",
      "--data",
      join(folder, "lonely"),
      "--port",
      "0",
      "--ingress-port",
      "0",
      "--json",
    ]);
    expect(await announced(lonely)).toMatchObject({ dataDir: join(folder, "lonely"), nodeId: expect.any(String) });
    expect(await lonely.end()).toMatchObject({ code: 0 });
  });
});

async function visits(running: Readonly<Record<string, unknown>>): Promise<string> {
  return (await fetch(`${String(running["controlPlane"])}/-/hello/`)).text();
}
