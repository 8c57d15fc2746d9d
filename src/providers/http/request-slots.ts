/** Counts requests under way, of each instance and of all. */
import { Reason } from "../../fault.ts";
import type { HttpFailure } from "./http-failure.ts";
import type { HttpLimits } from "./http-limits.ts";

/** See the top of the file. */
export interface RequestSlots {
  /** Takes a place and returns the way to give it back (once; later calls do nothing), or says why there is none. */
  take(instanceId: string): (() => void) | HttpFailure;
}

/** Makes empty counts. */
export function createRequestSlots(limits: Pick<HttpLimits, "requestsMax" | "requestsPerInstanceMax">): RequestSlots {
  const byInstance = new Map<string, number>();
  let all = 0;
  const refuse = (problem: string): HttpFailure => ({
    reason: Reason.PROVIDER_LIMIT,
    code: "connection-limit-reached",
    problem,
  });

  return {
    take(instanceId) {
      const own = byInstance.get(instanceId) ?? 0;
      if (own >= limits.requestsPerInstanceMax)
        return refuse(`the instance has ${own} requests under way, the most allowed`);
      if (all >= limits.requestsMax) return refuse(`the HTTP provider has ${all} requests under way, the most allowed`);
      all += 1;
      byInstance.set(instanceId, own + 1);
      let isGiven = false;
      return () => {
        if (isGiven) return;
        isGiven = true;
        all -= 1;
        const left = (byInstance.get(instanceId) ?? 1) - 1;
        if (left === 0) byInstance.delete(instanceId);
        else byInstance.set(instanceId, left);
      };
    },
  };
}
