/**
 * Joins what vitest measured in its own process with what V8 wrote for worker threads and child processes, line by
 * line. Node strips types in place, so positions in V8's reports are positions in the source.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the reports are. */
export type CoverageSources = {
  readonly root: string;
  /** Istanbul JSON, written by vitest. */
  readonly vitestReport: string;
  /** A folder of V8 reports, written by Node under NODE_V8_COVERAGE. */
  readonly processReports: string;
};

/** Lines that hold code, and those of them that ran. */
export type Coverage = {
  readonly files: readonly { readonly file: string; readonly lines: number; readonly covered: number }[];
  /** Covered lines of all, 0 to 1. */
  readonly share: number;
};

type FileLines = { readonly all: Set<number>; readonly covered: Set<number> };
type IstanbulFile = {
  readonly statementMap: Record<string, { readonly start: { readonly line: number } }>;
  readonly s: Record<string, number>;
};
type V8Range = { readonly startOffset: number; readonly endOffset: number; readonly count: number };
type V8Script = { readonly url: string; readonly functions: readonly { readonly ranges: readonly V8Range[] }[] };

/** Reads and joins the reports. */
export function measureCoverage(sources: CoverageSources): Coverage {
  const lines = readVitestReport(sources.vitestReport);
  if (existsSync(sources.processReports)) {
    for (const name of readdirSync(sources.processReports)) {
      addProcessReport(lines, join(sources.processReports, name));
    }
  }
  const files = [...lines]
    .map(([file, { all, covered }]) => ({ file: relative(sources.root, file), lines: all.size, covered: covered.size }))
    .sort((a, b) => a.file.localeCompare(b.file));
  const total = files.reduce((sum, file) => sum + file.lines, 0);
  const covered = files.reduce((sum, file) => sum + file.covered, 0);
  return { files, share: total === 0 ? 0 : covered / total };
}

/** A few lines for people: the total, and the files with the most lines that did not run. */
export function formatCoverage(coverage: Coverage): string {
  const missing = coverage.files
    .map((file) => ({ ...file, missing: file.lines - file.covered }))
    .filter((file) => file.missing > 0)
    .sort((a, b) => b.missing - a.missing)
    .slice(0, 12)
    .map(
      (file) =>
        `  ${String(file.missing).padStart(4)} of ${String(file.lines).padStart(4)} lines not run  ${file.file}`,
    );
  return [`coverage: ${(coverage.share * 100).toFixed(1)} % of lines of src/ without generated code`, ...missing].join(
    "\n",
  );
}

function readVitestReport(path: string): Map<string, FileLines> {
  const lines = new Map<string, FileLines>();
  if (!existsSync(path)) return lines;
  const report = JSON.parse(readFileSync(path, "utf8")) as Record<string, IstanbulFile>;
  for (const [file, { statementMap, s }] of Object.entries(report)) {
    const entry: FileLines = { all: new Set(), covered: new Set() };
    for (const [id, statement] of Object.entries(statementMap)) {
      entry.all.add(statement.start.line);
      if ((s[id] ?? 0) > 0) entry.covered.add(statement.start.line);
    }
    lines.set(file, entry);
  }
  return lines;
}

function addProcessReport(lines: Map<string, FileLines>, path: string): void {
  const report = JSON.parse(readFileSync(path, "utf8")) as { readonly result: readonly V8Script[] };
  for (const script of report.result) {
    if (!script.url.startsWith("file://")) continue;
    const entry = lines.get(fileURLToPath(script.url));
    if (entry === undefined) continue;
    const source = readFileSync(new URL(script.url), "utf8");
    const ran = offsetsThatRan(source.length, script);
    let offset = 0;
    for (const [index, text] of source.split("\n").entries()) {
      const first = offset + (text.length - text.trimStart().length);
      if (entry.all.has(index + 1) && ran[first] === 1) entry.covered.add(index + 1);
      offset += text.length + 1;
    }
  }
}

/** V8 lists ranges from outer to inner; the innermost one decides. A function that V8 does not list did not run. */
function offsetsThatRan(length: number, script: V8Script): Uint8Array {
  const ran = new Uint8Array(length);
  const ranges = script.functions.flatMap((each) => each.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const range of ranges) ran.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset);
  return ran;
}
