/**
 * Rebuilds the modules in `examples/` from their sources: `npm run build:examples`. With `--check` it changes nothing and compares.
 *
 * `examples/build.json` records, per module, the digest of its sources and of what they gave. So a check can tell everywhere that
 * sources and modules belong together, and compares the bytes of a fresh build wherever the same clang is installed.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import wabt from "wabt";
import { buildAssemblyScript, isAssemblyScriptHere } from "./build-assemblyscript.ts";
import { buildCCommand, buildCComponent, buildCModule, clangVersion } from "./build-c-component.ts";

const root: string = join(import.meta.dirname, "..");
const RECORD = join(root, "examples", "build.json");
const HEADERS = ["canonical.h", "wasi-http.h", "wasi-keyvalue.h", "wasi-keyvalue.wit", "http-guest.wit"].map(
  (name) => `scripts/c-component/${name}`,
);

/** One module: what it is made from, and how. Paths are relative to the repository. */
type Example = {
  readonly module: string;
  readonly source: string;
  readonly how: "component" | "command" | "c-module" | "wat" | "assemblyscript";
  /** Further files that it includes. */
  readonly parts?: readonly string[];
};

const EXAMPLES: readonly Example[] = [
  {
    module: "examples/http-counter/http-counter.wasm",
    source: "examples/http-counter/http-counter.c",
    how: "component",
  },
  { module: "examples/misbehave/misbehave.wasm", source: "examples/misbehave/misbehave.c", how: "component" },
  { module: "examples/stats/stats.wasm", source: "examples/stats/stats.c", how: "command" },
  { module: "examples/functions/functions.wasm", source: "examples/functions/functions.wat", how: "wat" },
  {
    module: "examples/core-abi/tally.wasm",
    source: "examples/core-abi/tally.c",
    how: "c-module",
    parts: ["examples/core-abi/wasmatrix.h"],
  },
  {
    module: "examples/core-abi/visits.wasm",
    source: "examples/core-abi/assembly/visits.ts",
    how: "assemblyscript",
    parts: ["examples/core-abi/assembly/wasmatrix.ts"],
  },
];

/** `examples/build.json`. */
type BuildRecord = {
  /** The first line of `clang --version`. */
  readonly clang: string;
  readonly modules: Readonly<Record<string, { readonly sourcesSha256: string; readonly moduleSha256: string }>>;
};

process.exitCode = process.argv.includes("--check") ? await check() : await buildAll();

async function buildAll(): Promise<number> {
  const clang = await clangVersion();
  if (clang === undefined) {
    console.error(
      "Cannot build the examples: clang, lld and wasi-libc are needed (Debian: apt install clang lld wasi-libc libclang-rt-dev-wasm32)",
    );
    return 1;
  }
  const modules: Record<string, { sourcesSha256: string; moduleSha256: string }> = {};
  for (const example of EXAMPLES) {
    const bytes = await build(example);
    writeFileSync(join(root, example.module), bytes);
    modules[example.module] = { sourcesSha256: sourcesSha256(example), moduleSha256: sha256(bytes) };
    console.log(`${example.module}: ${bytes.length} bytes`);
  }
  const record: BuildRecord = { clang, modules };
  writeFileSync(RECORD, `${JSON.stringify(record, undefined, 2)}\n`);
  return 0;
}

async function check(): Promise<number> {
  const record: BuildRecord = JSON.parse(readFileSync(RECORD, "utf8"));
  const clang = await clangVersion();
  const problems: string[] = [];
  let compared = 0;
  for (const example of EXAMPLES) {
    const entry = record.modules[example.module];
    const committed = sha256(readFileSync(join(root, example.module)));
    if (entry?.sourcesSha256 !== sourcesSha256(example))
      problems.push(`${example.module} was built from other sources`);
    if (entry?.moduleSha256 !== committed)
      problems.push(`${example.module} is not what was recorded when it was built`);
    if (!(await canRebuild(example, clang === record.clang))) continue;
    compared += 1;
    if (sha256(await build(example)) !== committed) problems.push(`${example.module} differs from a fresh build`);
  }
  if (compared < EXAMPLES.length) {
    const reason =
      clang === record.clang
        ? "the AssemblyScript compiler is not here"
        : `they were built by ${record.clang}, here is ${clang ?? "no clang with lld and wasi-libc"}`;
    console.log(
      `examples: a fresh build of ${EXAMPLES.length - compared} modules was skipped: ${reason}; their sources and digests were compared`,
    );
  }
  for (const problem of problems) console.error(`${problem}; run: npm run build:examples`);
  if (problems.length === 0)
    console.log(`examples: ${EXAMPLES.length} modules match their sources, ${compared} of them rebuilt`);
  return problems.length === 0 ? 0 : 1;
}

/** Whether a build here gives the bytes that were committed. */
async function canRebuild({ how }: Example, isSameClang: boolean): Promise<boolean> {
  if (how === "wat") return true;
  return how === "assemblyscript" ? isAssemblyScriptHere() : isSameClang;
}

async function build({ source, how }: Example): Promise<Uint8Array> {
  const path = join(root, source);
  switch (how) {
    case "component":
      return buildCComponent({ sources: [path] });
    case "command":
      return buildCCommand([path]);
    case "c-module":
      return buildCModule([path]);
    case "assemblyscript":
      return buildAssemblyScript(path);
    case "wat": {
      // A copy of its own: wabt takes the whole buffer below a view, and small files share one.
      const module = (await wabt()).parseWat(source, new Uint8Array(readFileSync(path)));
      try {
        return module.toBinary({}).buffer;
      } finally {
        module.destroy();
      }
    }
  }
}

/** Over everything that the module's bytes depend on, except the tools. */
function sourcesSha256({ source, how, parts = [] }: Example): string {
  const files = [source, ...parts, ...(how === "component" ? HEADERS : [])];
  return sha256(Buffer.concat(files.map((file) => readFileSync(join(root, file)))));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
