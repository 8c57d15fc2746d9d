import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manifestFor } from "../../../src/cli/manifest/new-manifest.ts";
import { orderFromManifest } from "../../../src/cli/manifest/manifest.ts";
import { runCaptured, type CliResult } from "../captured-io.ts";
import { exampleFile } from "../real-fleet.ts";

let workDir: string;
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), "wasmatrix-cli-init-"));
});
afterEach(() => rm(workDir, { recursive: true, force: true }));

const init = (...argv: string[]): Promise<CliResult> => runCaptured(["init", ...argv], { workDir });

async function written(): Promise<Readonly<Record<string, unknown>>> {
  return { ...Object(JSON.parse(await readFile(join(workDir, "wasmatrix.json"), "utf8"))) };
}

describe("init", () => {
  test("writes a manifest for the one module there is, grants nothing and says what it may need", async () => {
    await copyFile(exampleFile("http-counter"), join(workDir, "http_counter.wasm"));
    const result = await init();
    expect(result).toMatchObject({ code: 0, stdout: "wasmatrix.json\n" });
    expect(result.stderr).toContain('"kv:read", "kv:write", "kv:delete", to use a key-value bucket');
    const manifest = await written();
    expect(manifest).toMatchObject({
      module: "./http_counter.wasm",
      name: "http-counter",
      permissions: { allow: [] },
      restart: "on-failure:5",
    });
    // Editors find the schema where it says.
    const schema = await readFile(fileURLToPath(String(manifest["$schema"])), "utf8");
    expect(JSON.parse(schema)).toHaveProperty("properties.module");
    expect(() => orderFromManifest(JSON.stringify(manifest), join(workDir, "wasmatrix.json"), "m")).not.toThrow();
  });

  test("restarts no command", async () => {
    await init(exampleFile("stats"));
    expect(await written()).toEqual(expect.not.objectContaining({ restart: expect.anything() }));
  });

  test("overwrites only if told to", async () => {
    await writeFile(join(workDir, "wasmatrix.json"), "mine");
    const refused = await init();
    expect(refused).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("hint: overwrite it with --force"),
    });
    expect(await readFile(join(workDir, "wasmatrix.json"), "utf8")).toBe("mine");
    expect(await init("--force")).toMatchObject({ code: 0, stderr: expect.stringContaining("no one module") });
    expect(await written()).toMatchObject({ module: "./app.wasm", name: "app" });
  });

  test("tells what it wrote as JSON", async () => {
    expect(JSON.parse((await init("--json")).stdout)).toMatchObject({ manifest: { module: "./app.wasm" } });
  });

  test("of a missing module writes nothing", async () => {
    expect(await init("none.wasm")).toMatchObject({ code: 2, stderr: expect.stringContaining("no such file") });
    await expect(readFile(join(workDir, "wasmatrix.json"))).rejects.toThrow("ENOENT");
  });
});

describe("a new manifest", () => {
  const of = (module: string, schema: string): Readonly<Record<string, unknown>> =>
    manifestFor({ module, kind: "http", folder: "/home/u/app", schemaUrl: new URL(`file://${schema}`) });

  test("names the schema of a package that is installed in or around the folder by a path, another one by its URL", () => {
    expect(of("a.wasm", "/home/u/app/node_modules/wasmatrix/schema/s.json")).toHaveProperty(
      "$schema",
      "./node_modules/wasmatrix/schema/s.json",
    );
    expect(of("a.wasm", "/home/u/node_modules/wasmatrix/schema/s.json")).toHaveProperty(
      "$schema",
      "../node_modules/wasmatrix/schema/s.json",
    );
    expect(of("a.wasm", "/usr/lib/x/schema/s.json")).toHaveProperty("$schema", "file:///usr/lib/x/schema/s.json");
  });

  test("names the module by a path against its folder, and the instance by a label", () => {
    expect(of("/home/u/build/My App_2.wasm", "/s.json")).toMatchObject({
      module: "../build/My App_2.wasm",
      name: "my-app-2",
    });
    expect(of("...wasm", "/s.json")).not.toHaveProperty("name");
    expect(basename(String(of("b/c.wasm", "/s.json")["module"]))).toBe("c.wasm");
  });
});
