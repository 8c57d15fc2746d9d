/** Starts a process of a benchmark and reads the JSON line with which it says that it is ready. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** A running process. */
export type BenchProcess = {
  /** What it said when it was ready. */
  readonly ready: Readonly<Record<string, string>>;
  /** Resident memory, as the operating system counts it. */
  rssBytes(): number;
  stop(): Promise<void>;
};

/** Starts `node ARGS`. */
export async function startBenchProcess(...args: readonly string[]): Promise<BenchProcess> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ready = await firstLine(child, args.join(" "));
  return {
    ready: JSON.parse(ready) as Record<string, string>,
    rssBytes: () => Number(execFileSync("ps", ["-o", "rss=", "-p", String(child.pid)], { encoding: "utf8" })) * 1024,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
}

function firstLine(child: ChildProcess, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error(`Cannot read the output of ${what}`));
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`${what} ended with code ${String(code)} before it was ready`)));
  });
}
