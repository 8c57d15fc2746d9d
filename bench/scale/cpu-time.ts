/** Processor time of this process, by which everything here is judged: machines are shared, and their clocks on the wall lie. */

/** What something cost. */
export type Cost = {
  /** User and system time of all threads, garbage collection included. */
  readonly cpuMs: number;
  readonly wallMs: number;
};

/** What `action` costs this process until its promise settles. */
export async function costOf(action: () => unknown): Promise<Cost> {
  const wall = performance.now();
  const before = process.cpuUsage();
  await action();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1_000, wallMs: performance.now() - wall };
}

/** The most memory that this process has had resident so far. */
export function peakRssBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
