/** Which provider a guest's request goes out by, and how a failure looks to the guest. Pure. */
import { fault, isFault, Reason, type Fault } from "../fault.ts";
import { checkHttpTarget, httpRulesFromGrants } from "../providers/http/check-http.ts";
import { httpTargetFromAuthority } from "../providers/http/http-domain.ts";
import type { HttpRequest, HttpRules, OutgoingHttpError } from "../providers/http/http.ts";
import type { Grant } from "../providers/permissions.ts";

/** Where a request goes. */
export type RequestRoute =
  /** `permission` is what permits it, by the name of its host; the provider checks the address as well. */
  | { readonly kind: "allowed"; readonly providerId: string; readonly permission: string; readonly rules: HttpRules }
  /** `permission` is what forbids it, or would permit it. */
  | { readonly kind: "denied"; readonly permission: string; readonly why: string };

/** Takes the first provider by which the instance may reach the host. */
export function routeRequest(
  grants: readonly Grant[],
  request: Pick<HttpRequest, "scheme" | "authority">,
): RequestRoute {
  const target = httpTargetFromAuthority(request.scheme, request.authority);
  if (target === undefined) {
    return { kind: "denied", permission: "http:request", why: "names no host that a request could go to" };
  }
  const providerIds = new Set(grants.filter((grant) => grant.type === "http").map((grant) => grant.providerId));
  for (const providerId of providerIds) {
    const rules = httpRulesFromGrants(grants, providerId);
    const verdict = checkHttpTarget(rules, target);
    if (verdict.kind === "allowed") return { kind: "allowed", providerId, permission: verdict.permission, rules };
  }
  const verdict = checkHttpTarget(httpRulesFromGrants(grants, ""), target);
  if (verdict.kind === "allowed") throw new Error("no provider permits what all of them together do");
  const { needed, deniedBy } = verdict;
  return deniedBy === undefined
    ? { kind: "denied", permission: needed, why: `has no assignment with ${needed}` }
    : { kind: "denied", permission: deniedBy, why: `is denied ${deniedBy}` };
}

/** The fault with an `OutgoingHttpError` as its cause; one that has it already is passed on. */
export function outgoingFault(error: unknown): Fault {
  if (!isFault(error)) {
    return fault(Reason.INTERNAL, "Cannot send a request: the agent failed", { cause: failed("the agent failed") });
  }
  if (isOutgoingError(error.cause)) return error;
  const cause: OutgoingHttpError =
    error.reason === Reason.CAPABILITY_DENIED
      ? { code: "HTTP-request-denied", message: error.message }
      : failed(error.message);
  return fault(error.reason, error.message, { subject: error.subject, cause });
}

/** The one code of `wasi:http` that carries a sentence. */
function failed(message: string): OutgoingHttpError {
  return { code: "internal-error", message };
}

function isOutgoingError(cause: unknown): cause is OutgoingHttpError {
  return (
    typeof cause === "object" && cause !== null && !(cause instanceof Error) && "code" in cause && "message" in cause
  );
}
