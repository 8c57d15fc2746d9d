/** `wasmatrix inspect FILE`. */
import { resolve } from "node:path";
import { byteSizeText } from "../byte-size.ts";
import { mayColour, type CliIo } from "../cli-io.ts";
import { createPaint } from "../colour.ts";
import { documentText } from "../json-output.ts";
import { readModuleFile } from "../module-choice.ts";
import { detailsText, tableText } from "../table.ts";
import { reportFromBytes, type ModuleReport } from "./module-report.ts";
import { withoutWasiPackages } from "./shown-world.ts";

/** Reads the module and shows what it is; runs nothing and asks nobody. Throws `UsageError`, `MODULE_TOO_LARGE`, `MODULE_NOT_WASM`, `MODULE_MALFORMED`. */
export async function inspectFile(io: CliIo, file: string, options: { readonly json: boolean }): Promise<void> {
  const { bytes, digest } = await readModuleFile(resolve(io.workDir, file), { shownPath: file, signal: io.signal });
  const report = reportFromBytes(bytes);
  const about = { file, digest, sizeBytes: bytes.length };
  await io.stdout.write(options.json ? documentText(reportJson(about, report)) : reportText(io, about, report));
}

type About = { readonly file: string; readonly digest: string; readonly sizeBytes: number };

/** The report for programs. Names are those that the API has. */
function reportJson(about: About, { shape, ...report }: ModuleReport): unknown {
  const memory = shape?.memory;
  return {
    ...about,
    layer: report.layer,
    isHosted: shape !== undefined,
    problem: report.problem,
    kind: shape?.kind ?? null,
    format: shape?.format ?? null,
    memory: memory === undefined ? null : { initialBytes: memory.initialBytes, maxBytes: memory.maxBytes ?? null },
    functions: shape?.functions ?? [],
    imports: report.imports,
    exports: report.exports,
    wit: report.wit ?? null,
    needs: report.needs,
  };
}

function reportText(io: CliIo, about: About, report: ModuleReport): string {
  const { shape, wit, needs } = report;
  const callable = shape?.functions ?? [];
  const paint = createPaint(mayColour(io, io.stdout));
  const details: (readonly [string, string | readonly string[]])[] = [
    ["file", `${about.file} (${byteSizeText(about.sizeBytes)})`],
    ["digest", about.digest],
    ["kind", shape === undefined ? `${report.layer}, which cannot run here: ${report.problem}` : kindText(shape)],
    ...(shape === undefined ? [] : [["memory", memoryText(shape.memory)] as const]),
    ...(callable.length === 0 ? [] : [["functions", callable.map(({ name, type }) => `${name}: ${type}`)] as const]),
    // A world says them already.
    ...(wit === undefined
      ? ([
          ["imports", report.imports],
          ["exports", report.exports],
        ] as const)
      : []),
  ];
  const world = wit === undefined ? "" : `\n${paint("strong", "world")}\n${indented(withoutWasiPackages(wit))}`;
  const wanted = needs.map(({ flag, denyFlag, why }) => ({
    flag,
    why: denyFlag === undefined ? why : `${why}; ${denyFlag} to start it without`,
  }));
  const flags =
    needs.length === 0
      ? "\nIt needs no permission.\n"
      : `\n${paint("strong", "what it may need")} (denied unless granted; where a second flag is named, it takes one of the two to start)\n${indented(
          tableText(
            [
              { title: "FLAG", cell: (row: (typeof wanted)[number]) => row.flag },
              { title: "TO", cell: (row) => row.why },
            ],
            wanted,
          ),
        )}`;
  return `${detailsText(details)}${world}${flags}`;
}

function kindText(shape: NonNullable<ModuleReport["shape"]>): string {
  return `${KIND_TEXT[shape.kind]} (${FORMAT_TEXT[shape.format]})`;
}

const KIND_TEXT = {
  http: "HTTP service",
  command: "command, runs once",
  messaging: "message handler",
  functions: "functions, for wasmatrix invoke",
} as const;

const FORMAT_TEXT = {
  component: "WASI 0.2 component",
  "wasi-p1": "core module, WASI preview 1",
  wasix: "core module, WASIX",
  core: "bare core module",
} as const;

function memoryText({ initialBytes, maxBytes }: NonNullable<ModuleReport["shape"]>["memory"]): string {
  return `${byteSizeText(initialBytes)} at first, ${maxBytes === undefined ? "no maximum of its own" : `at most ${byteSizeText(maxBytes)}`}`;
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
