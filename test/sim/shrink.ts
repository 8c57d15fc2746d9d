/** Finds the least of a plan that still fails in the same way: what is left is what matters. */
import type { RunPlan } from "./seed-plan.ts";
import { runWorld, type RunOutcome } from "./world.ts";

/** Takes away faults, operations and oddities as long as the run still ends in a violation of the same kind. */
export async function shrink(plan: RunPlan): Promise<{ readonly plan: RunPlan; readonly outcome: RunOutcome }> {
  let best = plan;
  let outcome = await runWorld(plan, { trace: true });
  const kind = kindOf(outcome.violation);
  const tryOut = async (smaller: RunPlan): Promise<boolean> => {
    const tried = await runWorld(smaller, { trace: true });
    if (kindOf(tried.violation) !== kind) return false;
    [best, outcome] = [smaller, tried];
    return true;
  };
  for (let index = best.faults.length - 1; index >= 0; index--) {
    await tryOut({ ...best, faults: best.faults.filter((_, at) => at !== index) });
  }
  await tryOut({ ...best, oldNodes: [], oldControlPlanes: [] });
  await tryOut({ ...best, lateNodes: [] });
  await tryOut({ ...best, endsWithColdStart: false });
  while (best.operations > 1 && (await tryOut({ ...best, operations: best.operations - 1 })));
  return { plan: best, outcome };
}

/** The sentence without its names and numbers. */
function kindOf(violation: string | undefined): string | undefined {
  return violation?.replaceAll(/\b(?:node|cp)-\d+\b|[a-z0-9]{20}|\d+/g, "#").split("\n")[0];
}
