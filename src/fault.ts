/** The error vocabulary: one typed reason per failure, and the one place that maps reasons to Connect codes. */
import type { Code } from "@connectrpc/connect";
import { Reason } from "./gen/reason.ts";

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
  return NAMES.get(reason) ?? "UNSPECIFIED";
}

/** The Connect code of a reason; a value newer than this program is `unknown`. */
export function codeFromReason(reason: Reason): Code {
  return CODES[reason] ?? CODE.Unknown;
}

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(Reason).map(([name, value]) => [value, name]));

/**
 * Connect's codes by number. Not imported as values: every guest's thread loads this file, and connect with it would be most of
 * its boot. The test "codes are connect's own" holds them equal.
 */
const CODE = {
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  Unauthenticated: 16,
} as const satisfies Partial<Record<keyof typeof Code, Code>>;

/** By what the caller should do about it (the table in the proto file). A new reason does not compile until it has a code. */
const CODES: Readonly<Record<Reason, Code>> = {
  [Reason.UNSPECIFIED]: CODE.Unknown,
  [Reason.INVALID_REQUEST]: CODE.InvalidArgument,
  [Reason.MODULE_NOT_WASM]: CODE.InvalidArgument,
  [Reason.MODULE_MALFORMED]: CODE.InvalidArgument,
  [Reason.MODULE_KIND_UNSUPPORTED]: CODE.FailedPrecondition,
  [Reason.MODULE_TOO_LARGE]: CODE.ResourceExhausted,
  [Reason.MODULE_IMPORT_UNKNOWN]: CODE.FailedPrecondition,
  [Reason.MODULE_NOT_FOUND]: CODE.NotFound,
  [Reason.MODULE_UNREACHABLE]: CODE.FailedPrecondition,
  [Reason.MODULE_DIGEST_MISMATCH]: CODE.FailedPrecondition,
  [Reason.INSTANCE_NOT_FOUND]: CODE.NotFound,
  [Reason.INSTANCE_AMBIGUOUS]: CODE.InvalidArgument,
  [Reason.INSTANCE_NAME_TAKEN]: CODE.AlreadyExists,
  [Reason.INSTANCE_NOT_RUNNING]: CODE.FailedPrecondition,
  [Reason.PERMISSION_INVALID]: CODE.InvalidArgument,
  [Reason.FUNCTION_NOT_FOUND]: CODE.NotFound,
  [Reason.ARGUMENT_INVALID]: CODE.InvalidArgument,
  [Reason.GUEST_TRAPPED]: CODE.Aborted,
  [Reason.CALL_TIMED_OUT]: CODE.DeadlineExceeded,
  [Reason.CALL_QUEUE_FULL]: CODE.ResourceExhausted,
  [Reason.BODY_TOO_LARGE]: CODE.ResourceExhausted,
  [Reason.LIMIT_INVALID]: CODE.InvalidArgument,
  [Reason.NODE_AT_CAPACITY]: CODE.ResourceExhausted,
  [Reason.NO_NODE_FITS]: CODE.FailedPrecondition,
  [Reason.NODE_NOT_FOUND]: CODE.NotFound,
  [Reason.NODE_UNREACHABLE]: CODE.Unavailable,
  [Reason.PROVIDER_NOT_FOUND]: CODE.NotFound,
  [Reason.PROVIDER_STOPPED]: CODE.FailedPrecondition,
  [Reason.PROVIDER_UNAVAILABLE]: CODE.Unavailable,
  [Reason.PROVIDER_LIMIT]: CODE.ResourceExhausted,
  [Reason.CAPABILITY_DENIED]: CODE.PermissionDenied,
  [Reason.PROTOCOL_VERSION_UNSUPPORTED]: CODE.FailedPrecondition,
  [Reason.UNAUTHENTICATED]: CODE.Unauthenticated,
  [Reason.IDEMPOTENCY_CONFLICT]: CODE.AlreadyExists,
  [Reason.CURSOR_INVALID]: CODE.InvalidArgument,
  [Reason.SHUTTING_DOWN]: CODE.Unavailable,
  [Reason.NAME_NOT_SERVED]: CODE.NotFound,
  [Reason.TOO_MANY_REQUESTS]: CODE.ResourceExhausted,
  [Reason.CANCELED]: CODE.Canceled,
  [Reason.START_TIMED_OUT]: CODE.DeadlineExceeded,
  [Reason.INTERNAL]: CODE.Internal,
  [Reason.UNIMPLEMENTED]: CODE.Unimplemented,
  [Reason.NOT_SHARED]: CODE.FailedPrecondition,
  [Reason.DELIVERY_FAILED]: CODE.Aborted,
  [Reason.DISCOVERY_UNAVAILABLE]: CODE.Unavailable,
  [Reason.GENERATION_SUPERSEDED]: CODE.Aborted,
  [Reason.NODE_CORDONED]: CODE.FailedPrecondition,
  [Reason.NO_WITNESS]: CODE.FailedPrecondition,
  [Reason.REBUILDING]: CODE.Unavailable,
  [Reason.CALL_INTERRUPTED]: CODE.Unavailable,
};
