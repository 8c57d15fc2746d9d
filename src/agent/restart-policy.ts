/** Whether and when an instance is started again after it ended. Pure: time and chance come in as numbers. */
import type { Ending } from "../runtime/runtime.ts";

/** A restart policy with its defaults filled in. */
export type RestartPolicy = {
  readonly mode: "never" | "always" | "on-failure";
  /** Restarts in a row after which the instance is given up; 0 for no bound. */
  readonly maxRetries: number;
  /** Wait before the first restart of a row; doubles with each. */
  readonly backoffMs: number;
  /** The longest wait; at least `backoffMs`. */
  readonly backoffMaxMs: number;
};

/** How one run of an instance ended, as the agent sees it. */
export type RunEnding =
  | Ending
  /** The guest never became ready; `permanent` if no further attempt can help. */
  | { readonly kind: "start-failed"; readonly message: string; readonly permanent: boolean }
  /** The agent or its host died while the guest ran. */
  | { readonly kind: "agent-lost"; readonly message: string };

/** What the decision needs to know of earlier runs. */
export type RestartHistory = {
  /** Restarts since the last healthy minute. */
  readonly retriesInRow: number;
  /** When the run that ended began to take calls; `undefined` if it never did or nobody knows. */
  readonly runningSinceMs: number | undefined;
};

/** What follows an ending. */
export type RestartDecision =
  /** Start again at `atMs`, as the `attempt`th restart of this row, counted from 1. */
  | { readonly kind: "restart"; readonly atMs: number; readonly attempt: number }
  | { readonly kind: "give-up"; readonly why: "stopped" | "refused" | "policy" | "retries-exhausted" };

/** A run of this length is healthy: the next restart is the first of a new row. */
export const HEALTHY_RUN_MS = 60_000;

/** How much longer than its backoff a wait may be, so that many instances do not come back in one moment. */
export const BACKOFF_JITTER_SHARE = 0.1;

/**
 * Decides what follows an ending. A stop is never followed by a restart. The wait is never shorter than the
 * policy's backoff and never longer than its maximum; `fraction` in [0, 1) chooses within the jitter.
 */
export function decideRestart(input: {
  readonly policy: RestartPolicy;
  readonly history: RestartHistory;
  readonly ending: RunEnding;
  readonly nowMs: number;
  readonly fraction: number;
}): RestartDecision {
  const { policy, history, ending, nowMs, fraction } = input;
  if (ending.kind === "stopped") return { kind: "give-up", why: "stopped" };
  if (ending.kind === "start-failed" && ending.permanent) return { kind: "give-up", why: "refused" };
  if (!policyRestarts(policy, ending)) return { kind: "give-up", why: "policy" };
  const healthy = history.runningSinceMs !== undefined && nowMs - history.runningSinceMs >= HEALTHY_RUN_MS;
  const retriesBefore = healthy ? 0 : history.retriesInRow;
  if (policy.maxRetries > 0 && retriesBefore >= policy.maxRetries) return { kind: "give-up", why: "retries-exhausted" };
  return { kind: "restart", atMs: nowMs + waitMs(policy, retriesBefore, fraction), attempt: retriesBefore + 1 };
}

/** The least wait before the restart that follows `retriesBefore` others in a row. */
export function backoffMs(policy: RestartPolicy, retriesBefore: number): number {
  // Beyond 2 ** 40 every backoff has long reached its maximum; the bound keeps the number finite.
  return Math.min(policy.backoffMs * 2 ** Math.min(retriesBefore, 40), policy.backoffMaxMs);
}

/** Whether the instance ended well by itself. */
export function isCleanExit(ending: RunEnding): boolean {
  return ending.kind === "exited" && ending.exitCode === 0;
}

function policyRestarts(policy: RestartPolicy, ending: RunEnding): boolean {
  switch (policy.mode) {
    case "never":
      return false;
    case "always":
      return true;
    case "on-failure":
      return !isCleanExit(ending);
  }
}

function waitMs(policy: RestartPolicy, retriesBefore: number, fraction: number): number {
  const least = backoffMs(policy, retriesBefore);
  return Math.min(Math.ceil(least * (1 + BACKOFF_JITTER_SHARE * fraction)), Math.max(policy.backoffMaxMs, least));
}
