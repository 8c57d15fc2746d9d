/** Regenerates what is generated from `proto/`: `npm run generate`. With `--check` it compares and changes nothing. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root: string = join(import.meta.dirname, "..");

if (process.argv.includes("--check")) check();
else generateInto(root);

function generateInto(folder: string): void {
  const result = spawnSync("buf", ["generate", "--output", folder], { cwd: root, stdio: "inherit" });
  if (result.status !== 0) throw new Error(`Cannot generate from proto/: buf ended with code ${String(result.status)}`);
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
