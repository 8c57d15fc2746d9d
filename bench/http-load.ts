/** A closed-loop HTTP load: so many connections, each with one request at a time. */
import { Pool } from "undici";

/** What a load came to. */
export type LoadResult = { readonly requestsPerSecond: number; readonly p50Ms: number; readonly p99Ms: number };

/** Sends requests for `durationMs` and counts those that were answered with 200; any other answer is an error. */
export async function runLoad(options: {
  readonly url: string;
  readonly path: string;
  readonly connections: number;
  readonly durationMs: number;
}): Promise<LoadResult> {
  const pool = new Pool(options.url, { connections: options.connections, pipelining: 1 });
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + options.durationMs;
  const connection = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const sentMs = performance.now();
      const { statusCode, body } = await pool.request({ path: options.path, method: "GET" });
      await body.dump();
      if (statusCode !== 200)
        throw new Error(`Cannot measure ${options.url}${options.path}: it answered ${String(statusCode)}`);
      latenciesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: options.connections }, connection));
  const seconds = (performance.now() - startMs) / 1000;
  await pool.close();
  return {
    requestsPerSecond: latenciesMs.length / seconds,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  };
}

/** The value below which the share `q` of the values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
