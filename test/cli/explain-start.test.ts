import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { StartInstanceRequest } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { runCaptured } from "./captured-io.ts";
import { instanceWith, startScripted, type Script } from "./scripted-control-plane.ts";

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wasmatrix-explain-"));
  file = join(folder, "app.wasm");
  writeFileSync(file, new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function urlOf(script: Script): Promise<string> {
  const controlPlane = await startScripted(script);
  open.push(controlPlane);
  return controlPlane.url;
}

const FITS = { nodeId: "n1", failed: [], cost: 0.35, loadCost: 0.25, moduleCost: 0.1, spreadCost: 0 };
const FAILS = { nodeId: "n2", failed: ["cordoned", "without the labels zone=eu"] };

describe("run --dry-run", () => {
  test("asks for a dry run and shows each node with its costs, or with what it lacks", async () => {
    const requests: StartInstanceRequest[] = [];
    const address = await urlOf({
      startInstance(request) {
        requests.push(request);
        return { verdicts: [FITS, FAILS] };
      },
    });
    const { code, stdout } = await runCaptured(["run", file, "--name", "web", "--dry-run", "--address", address]);
    expect(code).toBe(0);
    expect(stdout.split("\n")[1]).toMatch(/^n1 +fits +0\.350 +0\.250 +0\.100 +0\.000$/);
    expect(stdout.split("\n")[2]).toMatch(/^n2 +cordoned, without the labels zone=eu +- +- +- +-$/);
    expect(requests[0]).toMatchObject({ dryRun: true, attempt: 0, spec: { name: "web" } });
    const json = await runCaptured(["run", file, "--dry-run", "--json", "--address", address]);
    expect(JSON.parse(json.stdout)).toMatchObject({ verdicts: [{ nodeId: "n1" }, { nodeId: "n2" }] });
  });

  test("ends as the start would if no node fits, after the table", async () => {
    const address = await urlOf({ startInstance: () => ({ verdicts: [FAILS] }) });
    const result = await runCaptured(["run", file, "--dry-run", "--address", address]);
    expect(result).toMatchObject({ code: 4 });
    expect(result.stdout).toContain("cordoned");
    expect(result.stderr).toContain("no node fits (of 1 node)");
  });

  test("says so if the key stands for an instance already", async () => {
    const address = await urlOf({ startInstance: () => ({ instance: instanceWith(), alreadyStarted: true }) });
    const words = ["run", file, "--dry-run", "--idempotency-key", "k", "--address", address];
    const result = await runCaptured(words);
    expect(result).toMatchObject({ code: 0, stdout: `${instanceWith().id}\n` });
    expect(result.stderr).toContain("stands for an instance already");
  });

  test("waits for nothing", async () => {
    const result = await runCaptured(["run", file, "--dry-run", "--wait"]);
    expect(result).toMatchObject({ code: 2 });
    expect(result.stderr).toContain("Cannot use --wait with --dry-run");
  });
});

test("run says whether its key may have been used before", async () => {
  const attempts: number[] = [];
  const address = await urlOf({
    startInstance(request) {
      attempts.push(request.attempt);
      return { instance: instanceWith() };
    },
  });
  await runCaptured(["run", file, "--address", address]);
  await runCaptured(["run", file, "--idempotency-key", "k", "--address", address]);
  expect(attempts).toEqual([0, 1]);
});
