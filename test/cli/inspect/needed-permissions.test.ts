import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { neededByComponent, neededByCoreModule } from "../../../src/cli/inspect/needed-permissions.ts";
import { addPermissionFlags } from "../../../src/cli/permissions/permission-flags.ts";
import { CORE_ABI_SIGNATURES } from "../../../src/runtime/abi/abi-signatures.ts";
import { HOSTED_INTERFACES } from "../../../src/runtime/host/hosted-interfaces.ts";

describe("what a module may need", () => {
  test("is told by the interfaces of a component, each need once", () => {
    const needs = neededByComponent(
      ["wasi:io/streams@0.2.3", "wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/batch@0.2.0-draft"],
      ["wasmcloud:messaging/handler@0.2.0"],
    );
    expect(needs).toMatchObject([
      {
        permissions: ["kv:read", "kv:write", "kv:delete"],
        because: ["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/batch@0.2.0-draft"],
      },
      { flag: "--allow-subscribe=TOPIC", because: ["wasmcloud:messaging/handler@0.2.0"] },
    ]);
  });

  test("is no topic for a component that is hosted as an HTTP service", () => {
    const exports = ["wasi:http/incoming-handler@0.2.3", "wasmcloud:messaging/handler@0.2.0"];
    expect(neededByComponent([], exports)).toEqual([]);
  });

  test("names a flag for every interface that needs a capability", () => {
    const words = new Command();
    addPermissionFlags(words, { workDir: "/", bareFolders: false });
    const known = words.options.map(({ long }) => long);
    for (const [name, { needs }] of HOSTED_INTERFACES) {
      const found = neededByComponent([`${name}@0.2.0${name.startsWith("wasi:keyvalue") ? "-draft" : ""}`], []);
      if (name.startsWith("wasi:config")) continue;
      expect(found.length, name).toBe(needs === undefined ? 0 : 1);
      for (const { flag } of found)
        for (const word of flag.match(/--[a-z-]+/g) ?? []) expect(known, name).toContain(word);
    }
  });

  test("is told by the functions of a core module", () => {
    const need = (module: string, name: string): string[] =>
      neededByCoreModule([{ module, name }]).map(({ flag }) => flag);
    expect(need("wasi_snapshot_preview1", "path_open")).toEqual([expect.stringContaining("--allow-read")]);
    expect(need("wasi_snapshot_preview1", "environ_get")).toEqual(["--allow-env=NAME"]);
    expect(need("wasi_snapshot_preview1", "fd_write")).toEqual([]);
    expect(need("wasix_32v1", "sock_connect")).toEqual(["--allow-net"]);
    // Its files are its own.
    expect(need("wasix_32v1", "path_open")).toEqual([]);
    expect(need("env", "path_open")).toEqual([]);
    for (const [name, { permission }] of Object.entries(CORE_ABI_SIGNATURES))
      expect(need("wasmatrix", name).length, name).toBe(
        permission !== undefined && permission !== "" ? 1 : name === "config_get" || name === "env_get" ? 1 : 0,
      );
    expect(need("wasmatrix", "constructor")).toEqual([]);
  });
});
