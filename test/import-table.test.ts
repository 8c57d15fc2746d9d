/** Holds the import table of ARCHITECTURE.md: who may import whom. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { describe, expect, test } from "vitest";

const src: string = join(import.meta.dirname, "..", "src");

/** What every part may import: the error vocabulary, time, logs and the protocol's version. */
const GROUND = ["gen", "fault.ts", "clock.ts", "log.ts", "protocol-version.ts"];

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  gen: [],
  "fault.ts": ["gen"],
  "clock.ts": [],
  "log.ts": ["fault.ts", "clock.ts"],
  "protocol-version.ts": [],
  rpc: GROUND,
  listen: GROUND,
  http: GROUND,
  discovery: ["fault.ts", "clock.ts", "log.ts"],
  etcd: ["fault.ts", "clock.ts", "discovery"],
  providers: ["fault.ts", "clock.ts"],
  runtime: ["fault.ts", "clock.ts", "providers"],
  agent: [...GROUND, "rpc", "http", "listen", "runtime", "providers", "discovery", "etcd"],
  cp: [...GROUND, "rpc", "http", "discovery"],
  "cp/entry": [...GROUND, "rpc", "http", "listen", "cp", "discovery", "etcd"],
  cli: [
    ...GROUND,
    "rpc",
    "cp/entry",
    "agent",
    // The grammar of permission strings.
    "providers/permissions.ts",
    // `inspect FILE`, which reads a module and runs nothing.
    "runtime/abi/abi-signatures.ts",
    "runtime/component/plan-from-bytes.ts",
    "runtime/component/wit-text.ts",
    "runtime/core-module.ts",
    "runtime/host/hosted-interfaces.ts",
    "runtime/module-shape.ts",
    "runtime/runtime.ts",
    "runtime/wasm-reader.ts",
  ],
};

describe("the import table", () => {
  test("every import between parts of src/ is one that the table allows", () => {
    const offences = importsBelow(src).filter(({ from, to }) => !isAllowed(from, to));
    expect(offences).toEqual([]);
  });

  test("an import that the table does not allow is seen", () => {
    expect(isAllowed("cp/fold.ts", "agent/agent.ts")).toBe(false);
    expect(isAllowed("cp/fold.ts", "listen/one-port.ts")).toBe(false);
    expect(isAllowed("runtime/runtime.ts", "gen/wasmatrix/v1/fact_pb.ts")).toBe(false);
    expect(isAllowed("cli/permissions/permission-rule.ts", "providers/kv/sqlite-kv.ts")).toBe(false);
    expect(isAllowed("cli/permissions/permission-rule.ts", "providers/permissions.ts")).toBe(true);
    expect(isAllowed("cp/entry/node.ts", "listen/one-port.ts")).toBe(true);
  });
});

function isAllowed(from: string, to: string): boolean {
  const [fromPart, toPart] = [partOf(from), partOf(to)];
  if (fromPart === toPart) return true;
  const allowed = MAY_IMPORT[fromPart] ?? [];
  return allowed.includes(toPart) || allowed.includes(to);
}

function partOf(file: string): string {
  const [first = "", second = ""] = file.split("/");
  return first === "cp" && second === "entry" ? "cp/entry" : first;
}

function importsBelow(folder: string): { from: string; to: string }[] {
  return globSync("**/*.ts", { cwd: folder }).flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)].map((match) => match[1] ?? "");
    return targets.map((target) => {
      const to = relative(folder, join(folder, dirname(file), target)).replaceAll("\\", posix.sep);
      return { from: file.replaceAll("\\", posix.sep), to };
    });
  });
}
