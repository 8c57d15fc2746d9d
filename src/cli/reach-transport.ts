/** Says in plain words when a control plane cannot be reached. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { StreamResponse, Transport } from "@connectrpc/connect";
import { fault, Fault, Reason } from "../fault.ts";
import { RemoteFault } from "../rpc/fault-to-connect.ts";

/** The subject of a fault that means: nobody answered at the address of the control plane, or the connection broke. */
export const CONTROL_PLANE_SUBJECT = "control plane";

/**
 * Wraps a `faultTransport`: network failures of its own become `NODE_UNREACHABLE` with a sentence that names `url`; what the
 * control plane itself answered stays as it is.
 */
export function reachTransport(transport: Transport, url: string): Transport {
  const rethrow = (error: unknown): never => {
    throw reworded(error, url);
  };
  return {
    unary: (...call) => transport.unary(...call).catch(rethrow),
    stream: (...call) => transport.stream(...call).then((response) => withReach(response, rethrow), rethrow),
  };
}

function withReach<I extends DescMessage, O extends DescMessage>(
  response: StreamResponse<I, O>,
  rethrow: (error: unknown) => never,
): StreamResponse<I, O> {
  return { ...response, message: reaching(response.message, rethrow) };
}

async function* reaching<T>(messages: AsyncIterable<T>, rethrow: (error: unknown) => never): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    rethrow(error);
  }
}

function reworded(error: unknown, url: string): unknown {
  if (!(error instanceof Fault) || error instanceof RemoteFault) return error;
  const problem = networkProblem(error);
  if (problem !== undefined) {
    return fault(Reason.NODE_UNREACHABLE, `Cannot reach the control plane at ${url}: ${problem}`, {
      subject: CONTROL_PLANE_SUBJECT,
      cause: error,
    });
  }
  if (error.reason === Reason.CALL_TIMED_OUT) {
    return fault(
      Reason.CALL_TIMED_OUT,
      `Cannot wait any longer for the control plane at ${url}: it did not answer in time`,
      { cause: error },
    );
  }
  if (error.reason === Reason.NODE_UNREACHABLE) {
    return fault(Reason.NODE_UNREACHABLE, `Cannot reach the control plane at ${url}: ${error.message}`, {
      subject: CONTROL_PLANE_SUBJECT,
      cause: error,
    });
  }
  return error;
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed",
  EPIPE: "the connection was closed",
  ERR_STREAM_PREMATURE_CLOSE: "the connection was closed",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host name cannot be looked up now",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the network",
  HPE_INVALID_CONSTANT: "what listens there does not speak HTTP",
  EPROTO: "what listens there does not speak TLS; try http://",
  ERR_SSL_WRONG_VERSION_NUMBER: "what listens there does not speak TLS; try http://",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "what listens there does not speak TLS; try http://",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate chain is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

const CAUSE_DEPTH_MAX = 8;

/** The first network error among the causes, in words; a host with several addresses fails with one error for each. */
function networkProblem(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < CAUSE_DEPTH_MAX && current instanceof Error; depth++) {
    const code = "code" in current && typeof current.code === "string" ? current.code : "";
    if (Object.hasOwn(PROBLEMS, code)) return PROBLEMS[code];
    if (current instanceof AggregateError) {
      const found: string | undefined = current.errors.map(networkProblem).find((problem) => problem !== undefined);
      if (found !== undefined) return found;
    }
    current = current.cause;
  }
  return undefined;
}
