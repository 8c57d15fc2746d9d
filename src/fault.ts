/** The error vocabulary: one typed reason per failure, and the one place that maps reasons to Connect codes. */
import { Reason } from "./gen/reason.ts";

export { Reason };

/**
 * Connect's codes by name. Not connect's own values: every guest's thread loads this file, and connect with it would be most of its
 * boot. `src/rpc/fault-to-connect.ts` has the values.
 */
export type CodeName =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "unauthenticated";

/** A failure that its caller can act on. It becomes a `ConnectError` only at the edge (`src/rpc/fault-to-connect.ts`). */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly reason: Reason;
  /** What it is about: an instance id, a node id, a digest, a field path; empty if nothing in particular. */
  readonly subject: string;

  constructor(reason: Reason, message: string, subject: string, cause: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.subject = subject;
  }

  /** The Connect code that the reason stands for. */
  get code(): CodeName {
    return codeFromReason(this.reason);
  }
}

/** What a fault may carry besides its sentence. */
export type FaultOptions = {
  /** What it is about: an instance id, a node id, a digest, a field path. */
  readonly subject?: string;
  /** The error underneath, for logs; it never reaches the caller. */
  readonly cause?: unknown;
};

/**
 * Makes the error for `reason`. The message is sentence case without a final period: the action that failed, a
 * colon, and what is the case: `Cannot start instance "a1": module exceeds 64 MiB (got 71 MiB)`.
 */
export function fault(reason: Reason, message: string, options: FaultOptions = {}): Fault {
  return new Fault(reason, message, options.subject ?? "", options.cause);
}

/** Whether `error` is a fault, optionally of one reason. */
export function isFault(error: unknown, reason?: Reason): error is Fault {
  return error instanceof Fault && (reason === undefined || error.reason === reason);
}

/** The reason's name without its prefix, such as `MODULE_NOT_WASM`; `UNSPECIFIED` for one that is newer than this program. */
export function reasonName(reason: Reason): string {
  return NAMES.get(reason) ?? "UNSPECIFIED";
}

/** The Connect code of a reason; a value newer than this program is `unknown`. */
export function codeFromReason(reason: Reason): CodeName {
  return CODES[reason] ?? "unknown";
}

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Reason).map(([name, value]) => [value, name]));

/** By what the caller should do about it (the table in the proto file). A new reason does not compile until it has a code. */
const CODES: Readonly<Record<Reason, CodeName>> = {
  [Reason.UNSPECIFIED]: "unknown",
  [Reason.INVALID_REQUEST]: "invalid_argument",
  [Reason.MODULE_NOT_WASM]: "invalid_argument",
  [Reason.MODULE_MALFORMED]: "invalid_argument",
  [Reason.MODULE_KIND_UNSUPPORTED]: "failed_precondition",
  [Reason.MODULE_TOO_LARGE]: "resource_exhausted",
  [Reason.MODULE_IMPORT_UNKNOWN]: "failed_precondition",
  [Reason.MODULE_NOT_FOUND]: "not_found",
  [Reason.MODULE_UNREACHABLE]: "failed_precondition",
  [Reason.MODULE_DIGEST_MISMATCH]: "failed_precondition",
  [Reason.INSTANCE_NOT_FOUND]: "not_found",
  [Reason.INSTANCE_AMBIGUOUS]: "invalid_argument",
  [Reason.INSTANCE_NAME_TAKEN]: "already_exists",
  [Reason.INSTANCE_NOT_RUNNING]: "failed_precondition",
  [Reason.PERMISSION_INVALID]: "invalid_argument",
  [Reason.FUNCTION_NOT_FOUND]: "not_found",
  [Reason.ARGUMENT_INVALID]: "invalid_argument",
  [Reason.GUEST_TRAPPED]: "aborted",
  [Reason.CALL_TIMED_OUT]: "deadline_exceeded",
  [Reason.CALL_QUEUE_FULL]: "resource_exhausted",
  [Reason.BODY_TOO_LARGE]: "resource_exhausted",
  [Reason.LIMIT_INVALID]: "invalid_argument",
  [Reason.NODE_AT_CAPACITY]: "resource_exhausted",
  [Reason.NO_NODE_FITS]: "failed_precondition",
  [Reason.NODE_NOT_FOUND]: "not_found",
  [Reason.NODE_UNREACHABLE]: "unavailable",
  [Reason.PROVIDER_NOT_FOUND]: "not_found",
  [Reason.PROVIDER_STOPPED]: "failed_precondition",
  [Reason.PROVIDER_UNAVAILABLE]: "unavailable",
  [Reason.PROVIDER_LIMIT]: "resource_exhausted",
  [Reason.CAPABILITY_DENIED]: "permission_denied",
  [Reason.PROTOCOL_VERSION_UNSUPPORTED]: "failed_precondition",
  [Reason.UNAUTHENTICATED]: "unauthenticated",
  [Reason.IDEMPOTENCY_CONFLICT]: "already_exists",
  [Reason.CURSOR_INVALID]: "invalid_argument",
  [Reason.SHUTTING_DOWN]: "unavailable",
  [Reason.NAME_NOT_SERVED]: "not_found",
  [Reason.TOO_MANY_REQUESTS]: "resource_exhausted",
  [Reason.CANCELED]: "canceled",
  [Reason.START_TIMED_OUT]: "deadline_exceeded",
  [Reason.INTERNAL]: "internal",
  [Reason.UNIMPLEMENTED]: "unimplemented",
  [Reason.NOT_SHARED]: "failed_precondition",
  [Reason.DELIVERY_FAILED]: "aborted",
  [Reason.DISCOVERY_UNAVAILABLE]: "unavailable",
  [Reason.GENERATION_SUPERSEDED]: "aborted",
  [Reason.NODE_CORDONED]: "failed_precondition",
  [Reason.NO_WITNESS]: "failed_precondition",
  [Reason.REBUILDING]: "unavailable",
  [Reason.CALL_INTERRUPTED]: "unavailable",
};
