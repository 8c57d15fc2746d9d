// Runs a script of this repository under the Node that it pins, and installs what is missing first.
//
// This file is plain JavaScript for Node 18 and newer, because it runs before anything is installed, under
// whatever Node the machine has. Usage: node scripts/with-pinned-node.mjs SCRIPT [ARG ...]
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const pinnedNode = join(modules, ".bin", "node");
const oldestNode = 24;

await installIfMissing();
const node = pickNode();
const [script = "", ...args] = process.argv.slice(2);
process.exitCode = await run(node, [join(root, script), ...args], process.cwd());

/**
 * Installs from the lockfile unless the last installation here was of the same lockfile.
 *
 * Not `npm ci`: it refuses a lockfile that lacks optional packages of other platforms, and a lockfile made where
 * a registry does not have them all lacks some. `npm install` adds those; the lockfile is put back as it was.
 */
async function installIfMissing() {
  const stampFile = join(modules, ".wasmatrix-installed");
  const lockFile = join(root, "package-lock.json");
  const lock = readFileSync(lockFile, "utf8");
  const stamp = createHash("sha256").update(lock).digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  console.error("Installing what is missing from the lockfile (about a minute, 850 MB, once) ...");
  const progress = process.stderr.isTTY ? ["--progress"] : ["--no-progress"];
  const code = await run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...progress], root);
  if (code !== 0) {
    console.error(`error: npm install ended with code ${code}: see its output above, then run the same command again`);
    process.exit(code);
  }
  if (readFileSync(lockFile, "utf8") !== lock) writeFileSync(lockFile, lock);
  writeFileSync(stampFile, stamp);
}

function pickNode() {
  if (existsSync(pinnedNode)) return pinnedNode;
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= oldestNode) return process.execPath;
  console.error(
    `error: no pinned Node for ${process.platform} ${process.arch}, and this one is ${process.version}: install Node ${oldestNode} or newer and run the same command again`,
  );
  return process.exit(1);
}

/** Runs a command to its end. A terminal's Ctrl-C reaches the command by itself; signals sent to this process alone are passed on. */
function run(command, commandArgs, cwd) {
  return new Promise((resolve) => {
    const path = `${join(modules, ".bin")}:${process.env.PATH ?? ""}`;
    const child = spawn(command, commandArgs, { cwd, stdio: "inherit", env: { ...process.env, PATH: path } });
    const ignore = () => undefined;
    const forward = (signal) => child.kill(signal);
    process.on("SIGINT", ignore);
    process.on("SIGTERM", forward);
    process.on("SIGHUP", forward);
    child.on("error", (error) => {
      console.error(`error: cannot run ${command}: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      process.off("SIGHUP", forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}
