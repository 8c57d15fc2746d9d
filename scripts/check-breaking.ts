/**
 * Compares `proto/` with the last release tag, or with `main` where there is none, and fails on a change that an
 * old peer would not survive. The rule is in proto/README.md.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root: string = join(import.meta.dirname, "..");
const base: string | undefined = lastTag() ?? firstThatExists(["origin/main", "main"]);
if (base === undefined || git("ls-tree", base, "proto/").stdout === "") {
  console.log("Nothing to compare with: no tag and no main branch holds proto/ yet");
} else {
  const against = `.git#ref=${base},subdir=proto`;
  const result = spawnSync("buf", ["breaking", "proto", "--against", against, "--config", "buf.yaml"], {
    cwd: root,
    stdio: "inherit",
  });
  process.exitCode = result.status ?? 1;
}

function lastTag(): string | undefined {
  const { status, stdout } = git("describe", "--tags", "--abbrev=0", "--match", "v*");
  return status === 0 ? stdout.trim() : undefined;
}

function firstThatExists(refs: readonly string[]): string | undefined {
  return refs.find((ref) => git("rev-parse", "--verify", "--quiet", `${ref}^{commit}`).status === 0);
}

function git(...args: string[]): { status: number | null; stdout: string } {
  return spawnSync("git", args, { cwd: root, encoding: "utf8" });
}
