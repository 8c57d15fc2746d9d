/**
 * Makes bare core modules from AssemblyScript. The compiler is 100 MB, which nobody should have to install for one
 * example: npm fetches it into its cache when the examples are built, and a check uses it only if it is there.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PACKAGE = "assemblyscript@0.28.20";

/** Compiles a file in a folder `assembly`, whose `wasmatrix.ts` has the function that reports failed assertions. Throws with the compiler's complaint. */
export async function buildAssemblyScript(source: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "wasmatrix-asc-"));
  const output = join(folder, "out.wasm");
  const assembly = dirname(source);
  try {
    const input = join(basename(assembly), basename(source));
    const options = ["--optimize", "--use", `abort=${basename(assembly)}/wasmatrix/abort`, "--outFile", output];
    await run("npm", ["exec", "--yes", `--package=${PACKAGE}`, "--", "asc", input, ...options], {
      cwd: dirname(assembly),
    });
    return await readFile(output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether npm has the compiler already. */
export async function isAssemblyScriptHere(): Promise<boolean> {
  try {
    await run("npm", ["exec", "--offline", "--yes", `--package=${PACKAGE}`, "--", "asc", "--version"]);
    return true;
  } catch {
    // Not in the cache: that is the answer, not an error.
    return false;
  }
}
