/** One row of the table, and how the table is printed. */

/** What was measured, beside what it is compared with. */
export type BenchRow = {
  readonly what: string;
  readonly ours: string;
  readonly baseline: string;
  readonly ratio: string;
  /** What was aimed for; empty for nothing in particular. */
  readonly aim: string;
  /** The same in numbers, with the unit in each name. */
  readonly figures: Readonly<Record<string, number>>;
};

/** How long and how often a section measures. */
export type BenchEffort = {
  /** Rounds that count. */
  readonly rounds: number;
  /** Length of one load. */
  readonly loadMs: number;
  /** Things that are done one by one. */
  readonly samples: number;
  /** Instances that run at a time. */
  readonly instances: number;
};

/** Markdown. */
export function tableText(rows: readonly BenchRow[]): string {
  const head = ["what", "Wasmatrix", "baseline of the same run", "ratio", "aim"];
  const lines = rows.map(({ what, ours, baseline, ratio, aim }) => [what, ours, baseline, ratio, aim]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const rowText = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [rowText(head), rowText(widths.map((width) => "-".repeat(width))), ...lines.map(rowText)].join("\n");
}

/** The value below which the share `q` of the values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** `1.2 ms`. */
export function msText(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

/** `37 %`. */
export function percentText(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
