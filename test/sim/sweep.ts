/** Runs many seeds on all cores: worker threads, because each has globals of its own to make virtual. */
import { Worker } from "node:worker_threads";

/** A seed that failed. */
export type SeedFailure = { readonly seed: number; readonly violation: string };

/** What many seeds came to. */
export type SweepResult = {
  readonly failures: readonly SeedFailure[];
  readonly steps: number;
  readonly started: number;
  readonly excused: number;
  readonly cpuMs: number;
};

/** Which seeds, and how. */
export type SweepOptions = {
  readonly from: number;
  readonly count: number;
  readonly workers: number;
  /** Stops at so many failures. Default: never. */
  readonly failuresMax?: number;
  /** The name of a planted bug to run with. */
  readonly bug?: string;
  /** Whether `onSeed` is given the digest of each trace. */
  readonly withTraces?: boolean;
  readonly onSeed?: (seed: SeedDone) => void;
  readonly onFailure?: (failure: SeedFailure) => void;
  readonly onProgress?: (seedsDone: number) => void;
};

/** What a worker is started with. */
export type SweepWork = { readonly bug: string | undefined; readonly withTraces: boolean };

/** From a worker: it has done a seed. */
export type SeedDone = {
  readonly seed: number;
  readonly violation: string | undefined;
  /** Digest of the trace, if it was asked for. */
  readonly trace: string | undefined;
  readonly steps: number;
  readonly started: number;
  readonly excused: number;
  /** CPU time of the worker so far. */
  readonly cpuMs: number;
};

/** Runs `count` seeds from `from` on. Rejects if a worker dies. */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { from, count, workers, failuresMax = Number.POSITIVE_INFINITY } = options;
  const result = { failures: [] as SeedFailure[], steps: 0, started: 0, excused: 0, cpuMs: 0 };
  let next = from;
  let done = 0;

  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./sweep-worker.ts", import.meta.url), {
        workerData: { bug: options.bug, withTraces: options.withTraces === true } satisfies SweepWork,
        execArgv: [],
        // Much is made and soon forgotten: a larger nursery halves the cost of that.
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      });
      let cpuMs = 0;
      const giveOrEnd = (): void => {
        if (next < from + count && result.failures.length < failuresMax) worker.postMessage(next++);
        else {
          result.cpuMs += cpuMs;
          void worker.terminate().then(() => resolve());
        }
      };
      worker.on("message", (seed: SeedDone) => {
        done += 1;
        result.steps += seed.steps;
        result.started += seed.started;
        result.excused += seed.excused;
        cpuMs = seed.cpuMs;
        if (seed.violation !== undefined) {
          const failure = { seed: seed.seed, violation: seed.violation };
          result.failures.push(failure);
          options.onFailure?.(failure);
        }
        options.onSeed?.(seed);
        options.onProgress?.(done);
        giveOrEnd();
      });
      worker.on("error", reject);
      giveOrEnd();
    });
  await Promise.all(Array.from({ length: Math.min(workers, count) }, work));
  return result;
}
