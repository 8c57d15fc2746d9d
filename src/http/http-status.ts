/** Which HTTP status a refusal has where no RPC protocol says it: at the ingress, the gateway and the plain endpoints. */
import { Reason } from "../fault.ts";

/** The header that carries a refusal's reason, for programs; people read the sentence in the body. */
export const REASON_HEADER = "x-wasmatrix-reason";

/** The status of a reason; 500 for those that no HTTP request can meet. */
export function httpStatusFromReason(reason: Reason): number {
  return STATUSES.get(reason) ?? 500;
}

const STATUSES: ReadonlyMap<Reason, number> = new Map([
  [Reason.INVALID_REQUEST, 400],
  [Reason.UNAUTHENTICATED, 401],
  [Reason.NAME_NOT_SERVED, 404],
  [Reason.INSTANCE_NOT_FOUND, 404],
  [Reason.MODULE_KIND_UNSUPPORTED, 404],
  [Reason.BODY_TOO_LARGE, 413],
  [Reason.CANCELED, 499],
  [Reason.INTERNAL, 500],
  [Reason.GUEST_TRAPPED, 502],
  [Reason.INSTANCE_NOT_RUNNING, 503],
  [Reason.CALL_QUEUE_FULL, 503],
  [Reason.NODE_UNREACHABLE, 503],
  [Reason.TOO_MANY_REQUESTS, 503],
  [Reason.CALL_INTERRUPTED, 503],
  [Reason.SHUTTING_DOWN, 503],
  [Reason.CALL_TIMED_OUT, 504],
]);
