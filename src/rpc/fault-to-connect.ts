/** The edge between our errors and the wire's: the last step out of a server, the first step into a client. */
import { Code, ConnectError } from "@connectrpc/connect";
import { fault, Fault, Reason, type CodeName, type FaultOptions } from "../fault.ts";
import { ErrorDetailSchema, ReasonSchema } from "../gen/wasmatrix/v1/error_pb.ts";

/** The error that a caller sees: the fault's code and sentence, with its reason and the request id as a detail; never its cause. */
export function connectErrorFromFault(error: Fault, requestId: string): ConnectError {
  return new ConnectError(error.message, CODES[error.code], undefined, [
    { desc: ErrorDetailSchema, value: { reason: error.reason, subject: error.subject, requestId } },
  ]);
}

const CODES: Readonly<Record<CodeName, Code>> = {
  canceled: Code.Canceled,
  unknown: Code.Unknown,
  invalid_argument: Code.InvalidArgument,
  deadline_exceeded: Code.DeadlineExceeded,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  resource_exhausted: Code.ResourceExhausted,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
  unavailable: Code.Unavailable,
  unauthenticated: Code.Unauthenticated,
};

/** A fault that came over the wire; it remembers under which id the server logged it. */
export class RemoteFault extends Fault {
  readonly requestId: string;

  constructor(reason: Reason, message: string, options: FaultOptions & { readonly requestId: string }) {
    super(reason, message, options.subject ?? "", options.cause);
    this.requestId = options.requestId;
  }
}

/** What a failed call means to its caller. An error without our detail (a proxy's, a refused connection) goes by its code. */
export function faultFromConnect(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const connectError = ConnectError.from(error);
  const detail = connectError.findDetails(ErrorDetailSchema)[0];
  if (detail) {
    const { subject, requestId } = detail;
    const reason = ReasonSchema.value[detail.reason] === undefined ? Reason.UNSPECIFIED : detail.reason;
    return new RemoteFault(reason, connectError.rawMessage, { subject, requestId, cause: error });
  }
  const cause = connectError.cause;
  // Connect refuses an over-long message before any interceptor of ours could add the detail.
  if (connectError.code === Code.ResourceExhausted && connectError.rawMessage.includes("readMaxBytes"))
    return fault(Reason.BODY_TOO_LARGE, connectError.rawMessage, { cause: error });
  // A server that shuts down refuses new streams of a session that stands.
  const refused =
    cause instanceof Error &&
    /ECONNREFUSED|ECONNRESET|EPIPE|fetch failed|NGHTTP2_REFUSED_STREAM/.test(String(cause) + codeOf(cause));
  const reason = refused ? Reason.NODE_UNREACHABLE : reasonFromCode(connectError.code);
  return fault(reason, connectError.rawMessage, { cause: error });
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : "";
}

function reasonFromCode(code: Code): Reason {
  switch (code) {
    case Code.Unavailable:
      return Reason.NODE_UNREACHABLE;
    case Code.DeadlineExceeded:
      return Reason.CALL_TIMED_OUT;
    case Code.Canceled:
      return Reason.CANCELED;
    case Code.Unauthenticated:
      return Reason.UNAUTHENTICATED;
    case Code.InvalidArgument:
      return Reason.INVALID_REQUEST;
    case Code.ResourceExhausted:
      return Reason.TOO_MANY_REQUESTS;
    case Code.Unimplemented:
      return Reason.UNIMPLEMENTED;
    case Code.Internal:
      return Reason.INTERNAL;
    default:
      return Reason.UNSPECIFIED;
  }
}
