/** Entry of the process that reads components and plans how to instantiate them, away from the agent's memory and threads. */
import { isFault, Reason } from "../fault.ts";
import { planFromBytes, type PlannedComponent } from "./component/plan-from-bytes.ts";

/** What the process is sent. */
export type PlanOrder = { readonly component: Uint8Array };

/** What it answers: the plan, or the fault. */
export type PlanAnswer =
  | { readonly kind: "planned"; readonly planned: PlannedComponent }
  | { readonly kind: "refused"; readonly reason: Reason; readonly message: string; readonly subject: string };

function plan({ component }: PlanOrder): PlanAnswer {
  try {
    return { kind: "planned", planned: planFromBytes(component) };
  } catch (error) {
    if (isFault(error))
      return { kind: "refused", reason: error.reason, message: error.message, subject: error.subject };
    // A bug of ours that some component brings out: the agent goes on.
    const message = `Cannot read module: ${error instanceof Error ? error.message : String(error)}`;
    return { kind: "refused", reason: Reason.MODULE_MALFORMED, message, subject: "" };
  }
}

process.on("message", (order: PlanOrder) => {
  process.send?.(plan(order));
});
// The agent is gone: nobody waits for the answer.
process.once("disconnect", () => process.exit());
