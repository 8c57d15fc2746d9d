/** Makes failures of calls arrive as faults, also in the middle of a stream. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { StreamResponse, Transport } from "@connectrpc/connect";
import { faultFromConnect } from "./fault-to-connect.ts";

/**
 * Wraps a transport so that every failure is a `Fault`: with the server's own reason where it sent one, else with the
 * reason that fits the code. An interceptor cannot do this, because connect turns what it throws into a `ConnectError` again.
 */
export function faultTransport(transport: Transport): Transport {
  return {
    unary: (...call) => transport.unary(...call).catch(rethrow),
    stream: (...call) => transport.stream(...call).then(withFaults, rethrow),
  };
}

function withFaults<I extends DescMessage, O extends DescMessage>(
  response: StreamResponse<I, O>,
): StreamResponse<I, O> {
  return { ...response, message: faulting(response.message) };
}

async function* faulting<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    rethrow(error);
  }
}

function rethrow(error: unknown): never {
  throw faultFromConnect(error);
}
