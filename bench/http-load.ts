/** A closed-loop HTTP load: so many connections, each with one request at a time. */
import { Pool } from "undici";
import type { BenchProcess } from "./bench-process.ts";
import { median, quantile } from "./bench-row.ts";

/** What a load came to. */
export type LoadResult = {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the server for each request; `NaN` where it is not told. */
  readonly cpuUs: number;
};

/** What to send where. */
export type LoadTarget = {
  readonly url: string;
  /** Asked for in turns. */
  readonly paths: readonly string[];
  readonly server: BenchProcess;
};

/** How hard. */
export type LoadOptions = {
  readonly connections: number;
  readonly durationMs: number;
  /** Pause of each connection between two requests. Default 0. */
  readonly pauseMs?: number;
};

/** Sends requests for `durationMs` and counts those that were answered with 200; any other answer is an error. */
export async function runLoad(target: LoadTarget, options: LoadOptions): Promise<LoadResult> {
  const { url, paths, server } = target;
  const { connections, durationMs, pauseMs = 0 } = options;
  const pool = new Pool(url, { connections, pipelining: 1 });
  const latenciesMs: number[] = [];
  let turn = 0;
  const cpuStartMs = server.cpuMs();
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  const connection = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const path = paths[turn++ % paths.length] ?? "/";
      const sentMs = performance.now();
      const { statusCode, body } = await pool.request({ path, method: "GET" });
      await body.dump();
      if (statusCode !== 200) throw new Error(`Cannot measure ${url}${path}: it answered ${String(statusCode)}`);
      latenciesMs.push(performance.now() - sentMs);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  const seconds = (performance.now() - startMs) / 1000;
  const cpuMs = server.cpuMs() - cpuStartMs;
  await pool.close();
  return {
    requestsPerSecond: latenciesMs.length / seconds,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    cpuUs: (cpuMs * 1000) / latenciesMs.length,
  };
}

/**
 * Loads one target after the other, round by round, because machines drift. The first round warms all of them up and does
 * not count. Answers what each round came to, by target.
 */
export async function runLoadsInTurns<Name extends string>(
  targets: Readonly<Record<Name, LoadTarget>>,
  options: LoadOptions & { readonly rounds: number },
): Promise<Readonly<Record<Name, readonly LoadResult[]>>> {
  const names = Object.keys(targets) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, LoadResult[]>;
  for (let round = 0; round <= options.rounds; round++) {
    for (const name of names) {
      const result = await runLoad(targets[name], options);
      if (round > 0) results[name].push(result);
    }
  }
  return results;
}

/** The medians of several rounds. */
export function typical(rounds: readonly LoadResult[]): LoadResult {
  return {
    requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
    cpuUs: median(rounds.map((round) => round.cpuUs)),
  };
}

/** The median of what `of` makes of the results of the same round. */
export function typicalRatio(
  ours: readonly LoadResult[],
  theirs: readonly LoadResult[],
  of: (ours: LoadResult, theirs: LoadResult) => number,
): number {
  return median(
    ours.flatMap((mine, round) => {
      const other = theirs[round];
      return other === undefined ? [] : [of(mine, other)];
    }),
  );
}
