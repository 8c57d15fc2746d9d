/**
 * Runs every check and every test, reports coverage and ends with a plain count: `npm test`.
 *
 * A check counts as one. Exits with 1 if a check or a test failed, or if less than the wanted share of lines ran.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecks } from "./check.ts";
import { formatCoverage, measureCoverage } from "./line-coverage.ts";

/** The share of lines of src/, without generated code, that tests must run. */
const WANTED_LINE_COVERAGE = 0.85;

const root: string = join(import.meta.dirname, "..");

const checks = await runChecks();
const scratch = mkdtempSync(join(tmpdir(), "wasmatrix-test-"));
try {
  const results = join(scratch, "results.json");
  // Processes that tests start (agents, control planes, the CLI) write their own coverage here.
  const processCoverage = join(scratch, "processes");
  const code = await run("vitest", {
    args: ["run", "--coverage", "--reporter=dot", "--reporter=json", `--outputFile.json=${results}`],
    env: { WASMATRIX_PROCESS_COVERAGE: processCoverage },
  });
  const coverage = measureCoverage({
    root,
    vitestReport: join(root, "coverage", "coverage-final.json"),
    processReports: processCoverage,
  });
  console.log(formatCoverage(coverage));
  const enough = coverage.share >= WANTED_LINE_COVERAGE;
  if (!enough) console.log(`FAIL  coverage: wanted at least ${String(WANTED_LINE_COVERAGE * 100)} % of lines`);

  const tests = countTests(results);
  const passed = checks.filter((check) => check.passed).length + tests.passed + (enough ? 1 : 0);
  let failed = checks.filter((check) => !check.passed).length + tests.failed + (enough ? 0 : 1);
  // A run that fails outside of any test (a crash, an unhandled rejection) has failed all the same.
  if (code !== 0 && tests.failed === 0) failed += 1;
  console.log(
    `${String(passed)} passed, ${String(failed)} failed${tests.skipped > 0 ? `, ${String(tests.skipped)} skipped` : ""}`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function run(command: string, options: { args: readonly string[]; env: Record<string, string> }): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, options.args, {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, ...options.env },
    });
    child.on("error", (error) => {
      console.error(`error: cannot run ${command}: ${error.message}`);
      resolve(1);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function countTests(file: string): { passed: number; failed: number; skipped: number } {
  try {
    const report: unknown = JSON.parse(readFileSync(file, "utf8"));
    const count = (name: string): number => {
      const value = typeof report === "object" && report !== null ? Reflect.get(report, name) : undefined;
      return typeof value === "number" ? value : 0;
    };
    return {
      passed: count("numPassedTests"),
      failed: count("numFailedTests"),
      skipped: count("numPendingTests") + count("numTodoTests"),
    };
  } catch {
    // No report: vitest died before it wrote one, and its exit code counts as the failure.
    return { passed: 0, failed: 0, skipped: 0 };
  }
}
