/** run, grant, revoke and inspect, as far as permissions go: what is sent, and what is shown. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fault, Reason } from "../../../src/fault.ts";
import {
  CapabilityType,
  Isolation,
  Reuse,
  type Assignment,
  type Instance,
} from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { runCaptured, type CliResult } from "../captured-io.ts";
import { instanceWith, startScripted, type Script } from "../scripted-control-plane.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

let workDir: string;
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), "wasmatrix-cli-permissions-"));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await rm(workDir, { recursive: true, force: true });
});

async function cliWith(script: Script): Promise<(...argv: string[]) => Promise<CliResult>> {
  const controlPlane = await startScripted(script);
  open.push(controlPlane);
  return (...argv) => runCaptured(argv, { workDir, env: { WASMATRIX_ADDRESS: controlPlane.url } });
}

const HELD = instanceWith({
  assignments: [
    {
      type: CapabilityType.HTTP,
      providerId: "http",
      permissions: ["http:domain:a.example"],
      deniedPermissions: ["http:domain:b.example"],
    },
    { type: CapabilityType.KV, providerId: "kv", bucket: "default", permissions: ["kv:read"] },
  ],
});

describe("run", () => {
  test("sends permissions, isolation, reuse, config and limits, and folders as absolute paths", async () => {
    const specs: unknown[] = [];
    const cli = await cliWith({
      startInstance: ({ spec }) => {
        specs.push(spec);
        return { instance: instanceWith() };
      },
    });
    await writeFile(join(workDir, "values.json"), '{"a": "file", "b": "file"}');
    const result = await cli(
      "run",
      "--allow-net=a.example",
      "--allow-read=data::/data",
      "--deny-write",
      "--allow-env=LANG",
      "--isolation",
      "dedicated",
      "--reuse",
      "none",
      "--config",
      "a=flag",
      "--config-file",
      "values.json",
      "--timeout",
      "30s",
      "--call-timeout",
      "5s",
      "--concurrent-calls",
      "4",
      "--output-bytes-per-minute",
      "1MiB",
      DIGEST,
    );
    expect(result).toMatchObject({ code: 0, stderr: expect.not.stringContaining("note:") });
    expect(specs).toMatchObject([
      {
        assignments: [
          { type: CapabilityType.HTTP, permissions: ["http:domain:a.example"] },
          { type: CapabilityType.ENVIRONMENT, permissions: ["env:LANG"] },
          {
            type: CapabilityType.FILES,
            permissions: [`fs:read:${workDir}/data::/data`],
            deniedPermissions: ["fs:write:/"],
          },
        ],
        isolation: Isolation.DEDICATED,
        reuse: Reuse.NONE,
        config: { a: "flag", b: "file" },
        limits: {
          callTimeoutMs: 5000,
          commandTimeoutMs: 30_000,
          concurrentCallsMax: 4,
          outputMaxBytesPerMinute: 1_048_576n,
          memoryMaxBytes: 0n,
        },
      },
    ]);
  });

  test("with --allow-all says first what that means", async () => {
    const cli = await cliWith({ startInstance: () => ({ instance: instanceWith() }) });
    const { stderr } = await cli("run", "-A", DIGEST);
    expect(stderr).toMatch(/^note: --allow-all lets it\n {2}kv:read +read the key-value bucket "default"\n/);
    expect(stderr).toContain("  http:request     send HTTP requests to any public address\n");
  });

  test("without a module takes wasmatrix.json, and flags come on top", async () => {
    const requests: unknown[] = [];
    const cli = await cliWith({
      startInstance: (request) => {
        requests.push(request);
        return { instance: instanceWith() };
      },
    });
    const manifest = {
      module: DIGEST,
      name: "from-manifest",
      env: { A: "1", B: "1" },
      permissions: { allow: ["http:request"] },
      limits: { memory: "32MiB" },
    };
    await writeFile(join(workDir, "wasmatrix.json"), JSON.stringify(manifest));
    await writeFile(join(workDir, "other.json"), JSON.stringify({ ...manifest, name: "other" }));
    expect((await cli("run")).code).toBe(0);
    expect(
      (await cli("run", "-f", "other.json", "--env", "B=2", "--memory", "1MiB", "--deny-net=a.example")).code,
    ).toBe(0);
    // A module of its own is not mixed with what happens to lie here.
    expect((await cli("run", DIGEST)).code).toBe(0);
    expect(requests).toMatchObject([
      {
        spec: { name: "from-manifest", env: { A: "1", B: "1" }, limits: { memoryMaxBytes: 33_554_432n } },
        module: { source: { value: DIGEST } },
      },
      {
        spec: {
          name: "other",
          env: { A: "1", B: "2" },
          limits: { memoryMaxBytes: 1_048_576n },
          assignments: [{ permissions: ["http:request"], deniedPermissions: ["http:domain:a.example"] }],
        },
      },
      { spec: { name: "", assignments: [] } },
    ]);
  });

  test("refused for what the node does not share says how to find out what it does", async () => {
    const cli = await cliWith({
      startInstance: () => {
        throw fault(Reason.NOT_SHARED, 'Cannot start instance: the node does not share folder "/etc"');
      },
    });
    expect(await cli("run", "--allow-read=/etc", DIGEST)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/hint: .*--share-folder/),
    });
  });
});

describe("grant and revoke", () => {
  test("send what is asked for on top of, or out of, what is held", async () => {
    const sent: unknown[] = [];
    const answer = (assignment: Assignment | undefined): { instance: Instance } => {
      sent.push(assignment);
      return { instance: HELD };
    };
    const cli = await cliWith({
      queryInstance: () => ({ instance: HELD }),
      assignCapability: ({ instance, assignment }) => {
        expect(instance).toBe(HELD.id);
        return answer(assignment);
      },
      revokeCapability: ({ assignment }) => answer(assignment),
    });
    const granted = await cli("grant", "hello", "--allow-net=c.example", "--deny-kv=:delete");
    expect(granted).toMatchObject({ code: 0, stderr: "" });
    expect(granted.stdout).toBe(
      `${HELD.id} may\n  http: http:domain:a.example; not http:domain:b.example (provider http)\n  kv default: kv:read (provider kv)\n`,
    );
    await cli("revoke", "hello", "--allow-net", "--deny-net");
    expect(sent).toMatchObject([
      { permissions: ["http:domain:a.example", "http:domain:c.example"], deniedPermissions: ["http:domain:b.example"] },
      { bucket: "default", permissions: ["kv:read"], deniedPermissions: ["kv:delete"] },
      { providerId: "http", permissions: ["http:domain:a.example"], deniedPermissions: ["http:domain:b.example"] },
    ]);
  });

  test("with nothing to take away send nothing and show what is", async () => {
    const cli = await cliWith({ queryInstance: () => ({ instance: instanceWith() }) });
    expect(await cli("revoke", "hello", "--allow-env")).toEqual({
      code: 0,
      stdout: `${HELD.id} may do nothing\n`,
      stderr: "",
    });
  });
});

describe("inspect ID", () => {
  test("shows what is granted, denied, missing and revoked, with counts, and isolation, reuse, config and all limits", async () => {
    const cli = await cliWith({
      queryInstance: () => ({
        instance: instanceWith({
          assignments: HELD.assignments,
          isolation: Isolation.DEDICATED,
          reuse: Reuse.NONE,
          configNames: ["greeting"],
          envNames: ["COLOUR"],
          limits: { memoryMaxBytes: 33_554_432n, concurrentCallsMax: 4 },
          permissionUses: [
            { permission: "http:domain:a.example", usedCount: 12n },
            { permission: "http:domain:b.example", deniedCount: 2n },
            { permission: "kv:write", bucket: "default", deniedCount: 3n },
            { permission: "kv:delete", bucket: "default", usedCount: 1n, deniedCount: 2n },
            { permission: "env:COLOUR", usedCount: 6n },
          ],
          deniedCount: 7n,
        }),
      }),
    });
    const { stdout } = await cli("inspect", "hello");
    const rows = stdout.split("\n").map((line) => line.trim().replace(/ +/g, " "));
    expect(rows).toEqual(
      expect.arrayContaining([
        "permissions: PERMISSION BUCKET PROVIDER USED REFUSED",
        "granted http:domain:a.example - http 12 0",
        "granted kv:read default kv 0 0",
        "denied http:domain:b.example - http 0 2",
        "missing kv:write default - 0 3",
        "revoked kv:delete default - 1 2",
        "own env:COLOUR - - 6 0",
        "refused: 7 operations",
        "isolation: dedicated",
        "reuse: none",
        "config: greeting",
        "limits: memory 32 MiB",
        "concurrent calls 4",
        "cpu time none",
      ]),
    );
  });

  test("of one that may do nothing says so", async () => {
    const cli = await cliWith({ queryInstance: () => ({ instance: instanceWith() }) });
    expect((await cli("inspect", "hello")).stdout).toMatch(/^permissions: +-$/m);
  });
});

describe("invoke", () => {
  test("reads its arguments from standard input", async () => {
    const controlPlane = await startScripted({
      invokeInstance: ({ function: name, argsJson }) => ({ resultsJson: `["${name}", ${argsJson}]` }),
    });
    open.push(controlPlane);
    const argv = ["invoke", "shop", "a:b/c#f", "--args-json", "-", "--address", controlPlane.url];
    expect(await runCaptured(argv, { stdin: '[{"x": 1}]\n' })).toEqual({
      code: 0,
      stdout: 'a:b/c#f\n[{"x":1}]\n',
      stderr: "",
    });
    expect(await runCaptured(argv, { stdin: "nonsense" })).toMatchObject({ code: 2, stdout: "" });
  });
});
