/** The error vocabulary: one typed reason per failure, and the one place that maps reasons to Connect codes. */
import { Code } from "@connectrpc/connect";
import { Reason, ReasonSchema } from "./gen/wasmatrix/v1/error_pb.ts";

export { Reason };

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
  get code(): Code {
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
  return ReasonSchema.value[reason]?.localName ?? "UNSPECIFIED";
}

/** The Connect code of a reason; a value newer than this program is `unknown`. */
export function codeFromReason(reason: Reason): Code {
  return CODES[reason] ?? Code.Unknown;
}

/** By what the caller should do about it (the table in the proto file). A new reason does not compile until it has a code. */
const CODES: Readonly<Record<Reason, Code>> = {
  [Reason.UNSPECIFIED]: Code.Unknown,
  [Reason.INVALID_REQUEST]: Code.InvalidArgument,
  [Reason.MODULE_NOT_WASM]: Code.InvalidArgument,
  [Reason.MODULE_MALFORMED]: Code.InvalidArgument,
  [Reason.MODULE_KIND_UNSUPPORTED]: Code.FailedPrecondition,
  [Reason.MODULE_TOO_LARGE]: Code.ResourceExhausted,
  [Reason.MODULE_IMPORT_UNKNOWN]: Code.FailedPrecondition,
  [Reason.MODULE_NOT_FOUND]: Code.NotFound,
  [Reason.MODULE_UNREACHABLE]: Code.FailedPrecondition,
  [Reason.MODULE_DIGEST_MISMATCH]: Code.FailedPrecondition,
  [Reason.INSTANCE_NOT_FOUND]: Code.NotFound,
  [Reason.INSTANCE_AMBIGUOUS]: Code.InvalidArgument,
  [Reason.INSTANCE_NAME_TAKEN]: Code.AlreadyExists,
  [Reason.INSTANCE_NOT_RUNNING]: Code.FailedPrecondition,
  [Reason.PERMISSION_INVALID]: Code.InvalidArgument,
  [Reason.FUNCTION_NOT_FOUND]: Code.NotFound,
  [Reason.ARGUMENT_INVALID]: Code.InvalidArgument,
  [Reason.GUEST_TRAPPED]: Code.Aborted,
  [Reason.CALL_TIMED_OUT]: Code.DeadlineExceeded,
  [Reason.CALL_QUEUE_FULL]: Code.ResourceExhausted,
  [Reason.BODY_TOO_LARGE]: Code.ResourceExhausted,
  [Reason.LIMIT_INVALID]: Code.InvalidArgument,
  [Reason.NODE_AT_CAPACITY]: Code.ResourceExhausted,
  [Reason.NO_NODE_FITS]: Code.FailedPrecondition,
  [Reason.NODE_NOT_FOUND]: Code.NotFound,
  [Reason.NODE_UNREACHABLE]: Code.Unavailable,
  [Reason.PROVIDER_NOT_FOUND]: Code.NotFound,
  [Reason.PROVIDER_STOPPED]: Code.FailedPrecondition,
  [Reason.PROVIDER_UNAVAILABLE]: Code.Unavailable,
  [Reason.PROVIDER_LIMIT]: Code.ResourceExhausted,
  [Reason.CAPABILITY_DENIED]: Code.PermissionDenied,
  [Reason.PROTOCOL_VERSION_UNSUPPORTED]: Code.FailedPrecondition,
  [Reason.UNAUTHENTICATED]: Code.Unauthenticated,
  [Reason.IDEMPOTENCY_CONFLICT]: Code.AlreadyExists,
  [Reason.CURSOR_INVALID]: Code.InvalidArgument,
  [Reason.SHUTTING_DOWN]: Code.Unavailable,
  [Reason.NAME_NOT_SERVED]: Code.NotFound,
  [Reason.TOO_MANY_REQUESTS]: Code.ResourceExhausted,
  [Reason.CANCELED]: Code.Canceled,
  [Reason.START_TIMED_OUT]: Code.DeadlineExceeded,
  [Reason.INTERNAL]: Code.Internal,
  [Reason.UNIMPLEMENTED]: Code.Unimplemented,
  [Reason.NOT_SHARED]: Code.FailedPrecondition,
  [Reason.DELIVERY_FAILED]: Code.Aborted,
  [Reason.DISCOVERY_UNAVAILABLE]: Code.Unavailable,
  [Reason.GENERATION_SUPERSEDED]: Code.Aborted,
  [Reason.NODE_CORDONED]: Code.FailedPrecondition,
  [Reason.NO_WITNESS]: Code.FailedPrecondition,
  [Reason.REBUILDING]: Code.Unavailable,
};
