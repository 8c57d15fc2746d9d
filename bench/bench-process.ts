/** Starts a process of a benchmark, waits until it says that it is ready, and tells what it costs. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A running process, with those that it has started. */
export type BenchProcess = {
  /** The line with which it said that it was ready. */
  readonly ready: string;
  /** Resident memory of the process itself, as the operating system counts it. */
  rssBytes(): number;
  /** Processor time that all threads of all its processes have used. `NaN` where there is no `/proc`. */
  cpuMs(): number;
  stop(): Promise<void>;
};

/** What to start. */
export type BenchProcessOptions = {
  /** Arguments of `node`. */
  readonly args: readonly string[];
  /** A line of its output, or of its errors, that has this in it says that it is ready. Default: the first line. */
  readonly readyMark?: string;
  readonly workDir?: string;
};

/** Ticks of `/proc` in a second: the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Starts `node ARGS`; rejects if it ends before it is ready. */
export async function startBenchProcess(options: BenchProcessOptions): Promise<BenchProcess> {
  const { args, readyMark = "", workDir } = options;
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, so that what it starts is counted, and ended, with it.
    detached: true,
    ...(workDir === undefined ? {} : { cwd: workDir }),
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`Cannot start node ${args.join(" ")}`);
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      process.kill(-pid, "SIGTERM");
    });
  const ready = await readyLine(child, readyMark, args.join(" "));
  return {
    ready,
    rssBytes: () => Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024,
    cpuMs: () => groupCpuMs(pid),
    stop,
  };
}

/** The fields of a ready line in JSON. */
export function readyFields(started: BenchProcess): Readonly<Record<string, string>> {
  return JSON.parse(started.ready) as Record<string, string>;
}

function readyLine(child: ChildProcess, mark: string, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (line: string): void => {
      if (line.includes(mark)) resolve(line);
    };
    if (child.stdout === null || child.stderr === null) return reject(new Error(`Cannot read the output of ${what}`));
    createInterface({ input: child.stdout }).on("line", look);
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (mark !== "") look(line);
      if (!line.includes(mark) || mark === "") console.error(line);
    });
    child.once("exit", (code) => reject(new Error(`${what} ended with code ${String(code)} before it was ready`)));
  });
}

function groupCpuMs(group: number): number {
  let ticks = Number.NaN;
  for (const name of processNames()) {
    const [, , processGroup, ...rest] = statFields(name);
    if (Number(processGroup) !== group) continue;
    ticks = (Number.isNaN(ticks) ? 0 : ticks) + Number(rest[8]) + Number(rest[9]);
  }
  return (ticks * 1000) / TICKS_PER_SECOND;
}

function processNames(): readonly string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    // Not Linux: the figures for processor time stay empty, everything else can be measured.
    return [];
  }
}

/** The fields after the name, which is in parentheses and may have anything in it: state, parent, process group, and so on. */
function statFields(name: string): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    // It has ended since it was listed.
    return [];
  }
}
