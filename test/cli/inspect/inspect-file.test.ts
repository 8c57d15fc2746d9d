import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wasmFromWat } from "../../runtime/wat.ts";
import { runCaptured, type CliResult } from "../captured-io.ts";
import { exampleFile } from "../real-fleet.ts";

let workDir: string;
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), "wasmatrix-cli-inspect-"));
  await writeFile(
    join(workDir, "bare.wasm"),
    wasmFromWat(`(module (import "wasmatrix" "kv_get" (func (param i32 i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 2 4) (func (export "twice") (param i64) (result i64) (i64.add (local.get 0) (local.get 0))))`),
  );
  await writeFile(
    join(workDir, "unknown.wasm"),
    wasmFromWat('(module (import "env" "emscripten" (func)) (func (export "f")))'),
  );
  await writeFile(join(workDir, "plain"), wasmFromWat('(module (func (export "f")))'));
  await writeFile(join(workDir, "cut.wasm"), wasmFromWat('(module (func (export "f")))').subarray(0, 12));
  await writeFile(join(workDir, "text.wasm"), "(module)");
});
afterAll(() => rm(workDir, { recursive: true, force: true }));

/** Without a control plane: none is asked. */
function inspect(...argv: string[]): Promise<CliResult> {
  return runCaptured(["inspect", ...argv, "--address", "http://127.0.0.1:1"], { workDir });
}

describe("inspect FILE", () => {
  test("shows a component's kind, world and what it may need", async () => {
    const { code, stdout, stderr } = await inspect(exampleFile("http-counter"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^kind: +HTTP service \(WASI 0\.2 component\)$/m);
    expect(stdout).toMatch(/^ {4}export wasi:http\/incoming-handler@0\.2\.\d+;$/m);
    expect(stdout).toMatch(/^ {2}--allow-kv\[=BUCKET/m);
    expect(stdout).toMatch(/^memory: +\S+ KiB at first/m);
    expect(stdout).not.toMatch(/^functions:/m);
    expect(stdout).not.toContain("\u001b");
  });

  test("shows a command, and a bare module with its functions and types", async () => {
    const command = await inspect(exampleFile("stats"));
    expect(command.stdout).toMatch(/^kind: +command, runs once \(core module, WASI preview 1\)$/m);
    const bare = await inspect("bare.wasm");
    expect(bare.stdout).toMatch(/^kind: +functions, for wasmatrix invoke \(bare core module\)$/m);
    expect(bare.stdout).toMatch(/^functions: +twice: .*i64.*i64/m);
    expect(bare.stdout).toMatch(/^memory: +128 KiB at first, at most 256 KiB$/m);
    expect(bare.stdout).toMatch(/^imports: +wasmatrix\.kv_get$/m);
    expect(bare.stdout).toContain("--allow-kv");
  });

  test("says so if nothing is needed, and colours on a terminal only", async () => {
    expect((await inspect(exampleFile("functions"))).stdout).toContain("It needs no permission.");
    const { stdout } = await runCaptured(["inspect", exampleFile("http-counter")], { isTerminal: true });
    expect(stdout).toContain("\u001b[1mworld\u001b[0m");
  });

  test("is a document with --json", async () => {
    const json: unknown = JSON.parse((await inspect("bare.wasm", "--json")).stdout);
    expect(json).toMatchObject({
      file: "bare.wasm",
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      isHosted: true,
      problem: "",
      kind: "functions",
      format: "core",
      memory: { initialBytes: 131_072, maxBytes: 262_144 },
      functions: [{ name: "twice", type: expect.any(String) }],
      exports: ["memory", "twice"],
      wit: null,
      needs: [{ permissions: ["kv:read", "kv:write", "kv:delete"], because: ["wasmatrix.kv_get"] }],
    });
  });

  test("tells why a module cannot run here, and shows what it is all the same", async () => {
    const result = await inspect("unknown.wasm");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(/^kind: +core module, which cannot run here: .*env\.emscripten/m);
    expect(JSON.parse((await inspect("unknown.wasm", "--json")).stdout)).toMatchObject({
      isHosted: false,
      problem: expect.stringContaining("emscripten"),
      imports: ["env.emscripten"],
    });
  });

  test("takes a word without dot or slash for an instance, unless it is said to be a file", async () => {
    expect(await inspect("plain")).toMatchObject({ code: 5 });
    expect(await inspect("plain", "--file")).toMatchObject({ code: 0, stdout: expect.stringContaining("functions") });
    expect(await inspect("./plain")).toMatchObject({ code: 0 });
  });

  test("tells what is no module", async () => {
    expect(await inspect("none.wasm")).toMatchObject({
      code: 2,
      stderr: "error: Cannot read module none.wasm: there is no such file\n",
    });
    expect(await inspect("text.wasm")).toMatchObject({ code: 2, stderr: expect.stringContaining("hint: compile it") });
    expect(await inspect("cut.wasm")).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/^error: /) });
  });
});
