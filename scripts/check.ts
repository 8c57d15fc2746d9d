/** Runs every check that is not a test, prints a line each, and exits with 1 if one failed: `npm run check`. */
import { spawn } from "node:child_process";
import { join } from "node:path";

/** What one check came to. */
export type CheckResult = { readonly name: string; readonly passed: boolean; readonly output: string };

type Check = { readonly name: string; readonly command: readonly [string, ...string[]] };

const root: string = join(import.meta.dirname, "..");

const CHECKS: readonly Check[] = [
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "types of src/cp, without Node's", command: ["tsc", "-p", "src/cp"] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings", "src", "test", "bench", "scripts"] },
  { name: "format", command: ["oxfmt", "--check", "src", "test", "bench", "scripts"] },
  { name: "unused code and dependencies", command: ["knip", "--no-progress"] },
  { name: "proto lint", command: ["buf", "lint"] },
  { name: "proto format", command: ["buf", "format", "--diff", "--exit-code"] },
  { name: "proto breaking changes", command: ["node", "scripts/check-breaking.ts"] },
  { name: "generated code", command: ["node", "scripts/generate.ts", "--check"] },
  { name: "examples match their sources", command: ["node", "scripts/build-examples.ts", "--check"] },
  { name: "build", command: ["tsc", "-p", "tsconfig.build.json", "--noEmit"] },
];

/** Runs all checks in order; they share two cores with nothing else then. */
export async function runChecks(): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    const startMs = performance.now();
    const result = await runCheck(check);
    results.push(result);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`${result.passed ? "pass" : "FAIL"}  ${check.name} (${seconds} s)`);
    if (!result.passed) console.log(result.output.trimEnd().replace(/^/gm, "      "));
  }
  return results;
}

function runCheck(check: Check): Promise<CheckResult> {
  const [command, ...args] = check.command;
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const take = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => resolve({ name: check.name, passed: false, output: String(error) }));
    child.on("close", (code) => resolve({ name: check.name, passed: code === 0, output }));
  });
}

if (import.meta.main) {
  const results = await runChecks();
  const failed = results.filter((result) => !result.passed).length;
  console.log(`checks: ${String(results.length - failed)} passed, ${String(failed)} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
