/** Regenerates what is generated from `proto/`: `npm run generate`. With `--check` it compares and changes nothing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root: string = join(import.meta.dirname, "..");

if (process.argv.includes("--check")) check();
else generateInto(root);

function generateInto(folder: string): void {
  const result = spawnSync("buf", ["generate", "--output", folder], { cwd: root, stdio: "inherit" });
  if (result.status !== 0) throw new Error(`Cannot generate from proto/: buf ended with code ${String(result.status)}`);
  writeReasons(join(folder, "src", "gen"));
}

/**
 * The values of the enum Reason once more, in a file without the descriptors: every guest's thread loads them, and the runtime library of
 * protobuf with them would be half of its boot.
 */
function writeReasons(gen: string): void {
  const generated = readFileSync(join(gen, "wasmatrix", "v1", "error_pb.ts"), "utf8");
  const values =
    /\n(\/\*\*\n \* Reason says(?:(?!\*\/)[\s\S])*\*\/\nexport const Reason = \{[\s\S]*?\n\} as const;\n)/.exec(
      generated,
    )?.[1];
  if (values === undefined)
    throw new Error("Cannot write src/gen/reason.ts: error_pb.ts has no enum Reason as it used to");
  const head = [
    "// Written by scripts/generate.ts from wasmatrix/v1/error.proto; do not edit.",
    "/* eslint-disable */",
    "",
    'import type { Reason as WireReason } from "./wasmatrix/v1/error_pb.ts";',
    "",
  ];
  const foot = ["", "/** See the values. */", "export type Reason = WireReason;", ""];
  writeFileSync(join(gen, "reason.ts"), [...head, values.trimEnd(), ...foot].join("\n"));
}

function check(): void {
  const fresh = mkdtempSync(join(tmpdir(), "wasmatrix-gen-"));
  try {
    generateInto(fresh);
    const [expected, committed] = [join(fresh, "src", "gen"), join(root, "src", "gen")];
    const stale = [...new Set([...filesBelow(expected), ...filesBelow(committed)])].filter(
      (file) => contentOf(join(expected, file)) !== contentOf(join(committed, file)),
    );
    if (stale.length === 0) return;
    console.error(`src/gen does not match proto: ${stale.join(", ")}; run: npm run generate`);
    process.exitCode = 1;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // A file that is on one side only differs from whatever the other side has.
    return "";
  }
}
