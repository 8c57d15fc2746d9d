/** `--restart never|always|on-failure[:N]`. Pure. */
import { UsageError } from "./usage-error.ts";

/** What the flag says. */
export type RestartChoice = {
  readonly kind: "never" | "always" | "on-failure";
  /** Restarts in a row after which the instance is given up; 0 for no bound. */
  readonly retriesMax: number;
};

const RETRIES_MAX = 1_000_000;

/** Understands the flag's value; throws `UsageError` with what is wrong. */
export function restartFromText(text: string): RestartChoice {
  const [kind = "", retries, ...more] = text.split(":");
  if (kind !== "never" && kind !== "always" && kind !== "on-failure") {
    throw new UsageError("there are never, always, on-failure and on-failure:N");
  }
  if (retries === undefined) return { kind, retriesMax: 0 };
  if (kind === "never") throw new UsageError("never takes no number of restarts");
  const retriesMax = Number(retries);
  if (more.length > 0 || !/^\d+$/.test(retries) || retriesMax < 1 || retriesMax > RETRIES_MAX) {
    throw new UsageError(`behind "${kind}:" a number of restarts from 1 to ${RETRIES_MAX} is needed, as in ${kind}:5`);
  }
  return { kind, retriesMax };
}
