/** Output of instances on disk, so that it can be read after the agent's own restart: `<dir>/<id>.log`, and the part before it in `.log.1`. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../log.ts";
import type { OutputLine } from "./log-buffer.ts";

/** A line without its number: numbers begin anew in each life of the agent. */
export type StoredLine = Omit<OutputLine, "sequence">;

/** See the top of the file. Nothing throws: output is worth a warning, not an outage. */
export interface LogFiles {
  /** Adds lines of an instance; the oldest go once two files of `fileMaxBytes` are full. */
  append(id: string, lines: readonly StoredLine[]): void;
  /** What is kept of an instance, oldest first. Lines that cannot be read are left out. */
  read(id: string): readonly StoredLine[];
  /** Deletes what is kept of an instance. */
  remove(id: string): void;
  /** Instances of which something is kept. */
  ids(): readonly string[];
}

/** Opens the folder, which is created if missing. */
export function openLogFiles(options: {
  readonly dir: string;
  readonly log: Log;
  /** Default 512 KiB. */
  readonly fileMaxBytes?: number;
}): LogFiles {
  const { dir, log } = options;
  const fileMaxBytes = options.fileMaxBytes ?? 512 * 1024;
  let isFailing = false;
  mkdirSync(dir, { recursive: true, mode: 0o700 });

  const fileOf = (id: string): string => join(dir, `${id}.log`);
  const olderOf = (id: string): string => `${fileOf(id)}.1`;

  return {
    append(id, lines) {
      try {
        const file = fileOf(id);
        appendFileSync(file, lines.map(textFrom).join(""));
        if (statSync(file).size > fileMaxBytes) renameSync(file, olderOf(id));
        isFailing = false;
      } catch (error) {
        // These lines will be missing after the agent's restart; until then they are in memory.
        if (!isFailing) log.warn("output cannot be written to disk", { why: String(error) });
        isFailing = true;
      }
    },
    read: (id) => [olderOf(id), fileOf(id)].flatMap(linesOf),
    remove(id) {
      for (const file of [olderOf(id), fileOf(id)]) rmSync(file, { force: true });
    },
    ids: () => [...new Set(readdirSync(dir).flatMap((name) => /^([a-z0-9]+)\.log(?:\.1)?$/.exec(name)?.[1] ?? []))],
  };
}

function textFrom({ timeMs, stream, text, level }: StoredLine): string {
  return `${JSON.stringify(level === "" ? [timeMs, stream, text] : [timeMs, stream, text, level])}\n`;
}

function linesOf(file: string): readonly StoredLine[] {
  let content: string;
  try {
    content = readFileSync(file, "utf8");
  } catch {
    // Most often there is none. One that cannot be read costs old output and nothing else.
    return [];
  }
  return content.split("\n").flatMap(lineFrom);
}

function lineFrom(json: string): readonly StoredLine[] {
  if (json === "") return [];
  try {
    const [timeMs, stream, text, level = ""]: unknown[] = JSON.parse(json);
    if (typeof timeMs !== "number" || typeof text !== "string" || typeof level !== "string") return [];
    const isKnown = stream === "stdout" || stream === "stderr" || stream === "logging";
    return isKnown ? [{ timeMs, stream, text, level }] : [];
  } catch {
    // A line that was torn when the agent died.
    return [];
  }
}
