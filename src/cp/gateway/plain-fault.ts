/** Errors for people with a browser or curl. */
import { reasonName, Reason, type Fault } from "../../fault.ts";
import { REQUEST_ID_HEADER } from "../../rpc/request-id.ts";

/** `reason: sentence` as plain text, with the status that fits and the reason in `x-wasmatrix-reason`. */
export function plainFault(error: Fault, requestId: string): Response {
  const reason = reasonName(error.reason);
  const headers: Record<string, string> = {
    "content-type": "text/plain; charset=utf-8",
    "x-wasmatrix-reason": reason,
    [REQUEST_ID_HEADER]: requestId,
  };
  if (error.reason === Reason.UNAUTHENTICATED) headers["www-authenticate"] = "Bearer";
  return new Response(`${reason}: ${error.message}\n`, { status: STATUSES.get(error.reason) ?? 500, headers });
}

const STATUSES: ReadonlyMap<Reason, number> = new Map([
  [Reason.INVALID_REQUEST, 400],
  [Reason.UNAUTHENTICATED, 401],
  [Reason.NAME_NOT_SERVED, 404],
  [Reason.BODY_TOO_LARGE, 413],
  [Reason.CANCELED, 499],
  [Reason.INTERNAL, 500],
  [Reason.GUEST_TRAPPED, 502],
  [Reason.INSTANCE_NOT_RUNNING, 503],
  [Reason.NODE_UNREACHABLE, 503],
  [Reason.TOO_MANY_REQUESTS, 503],
  [Reason.SHUTTING_DOWN, 503],
  [Reason.CALL_TIMED_OUT, 504],
]);
