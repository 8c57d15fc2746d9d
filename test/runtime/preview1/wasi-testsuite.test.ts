/**
 * Runs the preview 1 part of the public WebAssembly/wasi-testsuite through the real runtime. `WASI_TESTSUITE` names a
 * folder with a checkout of its branch `prod/testsuite-base`; the suite is not part of this repository.
 */
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { GrantedFolder } from "../../../src/providers/local-rights.ts";
import { guestStart, recordingHost, temporaryFolder, testRuntime } from "../guest-starts.ts";

/** How a case of the suite is run, in its older form and in that with operations. */
type CaseSpec = RunSpec & {
  readonly exit_code?: number;
  readonly stdout?: string;
  readonly operations?: readonly (RunSpec & {
    readonly type: string;
    readonly id?: string;
    readonly payload?: string;
    readonly exit_code?: number;
  })[];
};
type RunSpec = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly root?: string | null;
};

const CASES = 72;
const suite = process.env["WASI_TESTSUITE"];

const modules =
  suite === undefined
    ? []
    : ["assemblyscript", "c", "rust"].flatMap((language) => {
        const folder = join(suite, "tests", language, "testsuite", "wasm32-wasip1");
        return readdirSync(folder)
          .filter((name) => name.endsWith(".wasm"))
          .map((name) => join(folder, name));
      });

describe("the public test suite of WASI preview 1", () => {
  it.skipIf(suite === undefined)(
    `is there as a whole (skipped unless WASI_TESTSUITE names a folder with its branch prod/testsuite-base)`,
    () => {
      expect(modules).toHaveLength(CASES);
    },
  );

  const runtime = testRuntime();
  it.each(modules.map((path) => [basename(path, ".wasm"), path]))(
    "passes: %s",
    { timeout: 60_000 },
    async (name, path) => {
      const spec = specOf(path);
      const run = spec.operations?.find(({ type }) => type === "run") ?? spec;
      const host = recordingHost();
      const guest = await runtime.start(
        guestStart(readFileSync(path), {
          args: [name, ...(run.args ?? [])],
          rights: { env: run.env ?? {}, folders: foldersOf(path, run) },
          host,
        }),
      );
      const ending = await guest.ended;
      const exitCode = spec.operations?.find(({ type }) => type === "wait")?.exit_code ?? spec.exit_code ?? 0;
      // What it wrote says which of its assertions failed.
      expect(ending, host.written.stderr).toEqual({ kind: "exited", exitCode });
      const stdout =
        spec.operations?.find(({ type, id }) => type === "read" && id !== "stderr")?.payload ?? spec.stdout;
      if (stdout !== undefined) expect(host.written.stdout).toBe(stdout);
    },
  );
});

function specOf(path: string): CaseSpec {
  const file = path.replace(/\.wasm$/, ".json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}

/** A copy of the case's files, as its root. */
function foldersOf(path: string, { root }: RunSpec): GrantedFolder[] {
  if (root === undefined || root === null) return [];
  const copy = realpathSync(temporaryFolder());
  cpSync(join(path, "..", root), copy, { recursive: true });
  return [{ guestPath: "/", hostPath: copy, canRead: true, canWrite: true, deniedPaths: [] }];
}
