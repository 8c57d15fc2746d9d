/** Tables for people. Pure. */
import type { Tone } from "./colour.ts";
import { printable } from "./printable.ts";

/** One column of rows of type `Row`. */
export type Column<Row> = {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** Numbers stand at the right; default left. */
  readonly align?: "left" | "right";
  /** How a row's cell stands out, where colours may be used. */
  readonly tone?: (row: Row) => Tone | undefined;
};

/** Colours a text, or leaves it as it is; see `createPaint`. */
export type Paint = (tone: Tone, text: string) => string;

/** The rows, aligned, under their titles; two spaces between columns, none at the ends of lines. An empty cell is shown as `-`. */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  paint: Paint = (_tone, text) => text,
): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row)) || "-"));
  const widths = columns.map((column, index) =>
    cells.reduce((widest, line) => Math.max(widest, width(line[index] ?? "")), width(column.title)),
  );
  const line = (texts: readonly string[], row: Row | undefined): string => {
    const parts = texts.map((text, index) => {
      const column = columns[index];
      const tone = row === undefined ? "strong" : column?.tone?.(row);
      const painted = tone === undefined ? text : paint(tone, text);
      const gap = " ".repeat((widths[index] ?? 0) - width(text));
      if (column?.align === "right") return gap + painted;
      return index === texts.length - 1 ? painted : painted + gap;
    });
    return parts.join("  ");
  };
  const titles = columns.map((column) => column.title);
  return `${[line(titles, undefined), ...cells.map((texts, index) => line(texts, rows[index]))].join("\n")}\n`;
}

/** `key: value` lines with the values aligned; a value of several lines is indented under its first. */
export function detailsText(details: readonly (readonly [string, string | readonly string[]])[]): string {
  const widest = Math.max(0, ...details.map(([key]) => width(key)));
  return details
    .map(([key, value]) => {
      const lines = (typeof value === "string" ? [value] : value).map(printable);
      const indent = " ".repeat(widest + 3);
      return `${key}:${" ".repeat(widest - width(key) + 2)}${lines.length === 0 ? "-" : lines.join(`\n${indent}`)}\n`;
    })
    .join("");
}

function width(text: string): number {
  return [...text].length;
}
