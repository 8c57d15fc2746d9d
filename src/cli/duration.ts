/** Durations as people write them: `30s`, `500ms`, `2m`, `1h30m`. Pure. */
import { UsageError } from "./usage-error.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Longest duration that is understood: 10,000 days. */
export const DURATION_MAX_MS: number = 10_000 * 86_400_000;

/** The whole milliseconds that `text` stands for; throws `UsageError` with what is wrong. A bare `0` is fine, other numbers need a unit. */
export function durationMsFromText(text: string): number {
  const given = text.trim().toLowerCase();
  if (given === "0") return 0;
  if (given === "") throw new UsageError("a duration is missing, as in 30s");
  if (/^\d+(\.\d+)?$/.test(given)) throw new UsageError(`the unit is missing; write ${given}s or ${given}ms`);
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(given))
    throw new UsageError("it is not a duration; write it like 30s, 500ms, 2m or 1h30m");
  let total = 0;
  for (const [, amount, unit] of given.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g))
    total += Number(amount) * (UNIT_MS[unit ?? ""] ?? 0);
  const rounded = Math.round(total);
  if (rounded === 0 && total > 0) throw new UsageError("it is shorter than a millisecond");
  if (rounded > DURATION_MAX_MS) throw new UsageError("it is longer than 10000d");
  return rounded;
}

/** Exactly `ms` (a whole number, not negative) in the form that `durationMsFromText` reads: `1h30m`, `0`. */
export function durationText(ms: number): string {
  let rest = ms;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const size = UNIT_MS[unit] ?? 1;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text === "" ? "0" : text;
}

/** How long ago or how far ahead, for a table: the largest unit alone, `45s`, `12m`, `3h`, `9d`. Negative counts as 0. */
export function roughDurationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
