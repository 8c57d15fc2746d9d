/** Errors for people with a browser or curl. */
import { reasonName, Reason, type Fault } from "../../fault.ts";
import { httpStatusFromReason, REASON_HEADER } from "../../http/http-status.ts";
import { REQUEST_ID_HEADER } from "../../rpc/request-id.ts";

/** `reason: sentence` as plain text, with the status that fits and the reason in `x-wasmatrix-reason`. */
export function plainFault(error: Fault, requestId: string): Response {
  const reason = reasonName(error.reason);
  const headers: Record<string, string> = {
    "content-type": "text/plain; charset=utf-8",
    [REASON_HEADER]: reason,
    [REQUEST_ID_HEADER]: requestId,
  };
  if (error.reason === Reason.UNAUTHENTICATED) headers["www-authenticate"] = "Bearer";
  return new Response(`${reason}: ${error.message}\n`, { status: httpStatusFromReason(error.reason), headers });
}
