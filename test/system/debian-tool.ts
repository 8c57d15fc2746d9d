/**
 * Finds a server that a test needs (etcd, Redis, NATS): on PATH, or from Debian's package, which is downloaded and
 * unpacked below node_modules/.cache without installing anything. Needs no root.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";

const cache: string = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "debian");

/** The path of `program`, or `undefined` (with a sentence on stderr) where it can be had in no way: skip what needs it. */
export function debianTool(program: string, debianPackage: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder !== "" && existsSync(join(folder, program))) return join(folder, program);
  }
  const unpacked = join(cache, debianPackage);
  try {
    if (!existsSync(unpacked)) unpack(debianPackage, unpacked);
    const found = [join(unpacked, "usr", "bin", program), join(unpacked, "usr", "sbin", program)].find(existsSync);
    if (found !== undefined) return found;
  } catch {
    // Lost: why apt failed. What matters to the reader of the test's output is said below.
  }
  console.error(
    `${program} is not here and Debian's package ${debianPackage} cannot be had: tests that need it are skipped`,
  );
  return undefined;
}

function unpack(debianPackage: string, folder: string): void {
  const scratch = `${folder}.${process.pid}`;
  mkdirSync(scratch, { recursive: true });
  try {
    execFileSync("apt-get", ["download", debianPackage], { cwd: scratch, stdio: "ignore", timeout: 120_000 });
    const file = readdirSync(scratch).find((name) => name.endsWith(".deb"));
    if (file === undefined) throw new Error(`apt-get downloaded nothing for ${debianPackage}`);
    execFileSync("dpkg-deb", ["-x", join(scratch, file), join(scratch, "root")], { stdio: "ignore" });
    // Two test files may unpack at once: the first rename counts.
    if (!existsSync(folder)) renameSync(join(scratch, "root"), folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
