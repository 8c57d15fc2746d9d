/** Which failed starts are refusals: faults of the module or of what was asked, which no further attempt can help. Pure. */
import { Reason, type Fault } from "../fault.ts";

/** Whether restart policies have nothing to say about this failed start. */
export function isRefusal(failure: Fault): boolean {
  return REFUSALS.has(failure.reason);
}

const REFUSALS: ReadonlySet<Reason> = new Set<Reason>([
  Reason.MODULE_NOT_WASM,
  Reason.MODULE_MALFORMED,
  Reason.MODULE_KIND_UNSUPPORTED,
  Reason.MODULE_IMPORT_UNKNOWN,
  Reason.MODULE_NOT_FOUND,
  Reason.LIMIT_INVALID,
]);
