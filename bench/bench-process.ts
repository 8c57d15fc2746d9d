/** Starts a process of a benchmark and reads the JSON line with which it says that it is ready. */
import { fork, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";

/** A running process. */
export type BenchProcess = {
  /** What it said when it was ready. */
  readonly ready: Readonly<Record<string, string>>;
  /** Resident memory after a garbage collection. */
  rssBytes(): Promise<number>;
  stop(): Promise<void>;
};

/** Starts `file` of this folder. */
export async function startBenchProcess(file: string, args: readonly string[] = []): Promise<BenchProcess> {
  const child = fork(join(import.meta.dirname, file), args, {
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const ready = await firstLine(child, file);
  return {
    ready: JSON.parse(ready) as Record<string, string>,
    rssBytes: () =>
      new Promise((resolve) => {
        child.once("message", (message) => resolve((message as { rssBytes: number }).rssBytes));
        child.send("memory");
      }),
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGTERM");
      }),
  };
}

function firstLine(child: ChildProcess, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error(`Cannot read the output of ${file}`));
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`${file} ended with code ${String(code)} before it was ready`)));
  });
}
