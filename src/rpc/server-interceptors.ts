/**
 * What every server of ours does around every call, on every platform. Outermost first: request id, log and
 * measure, faults to the wire, token, validation of each request message.
 */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Validator } from "@bufbuild/protovalidate";
import { Code, ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import type { Clock, Entropy } from "../clock.ts";
import { Fault, fault, Reason, reasonName } from "../fault.ts";
import type { Log } from "../log.ts";
import { createTokenCheck, tokenFromAuthorization } from "./bearer-token.ts";
import { codeName } from "./code-name.ts";
import { connectErrorFromFault } from "./fault-to-connect.ts";
import { REQUEST_ID_HEADER, requestIdFromHeader, requestIdKey } from "./request-id.ts";

/** One finished call; a stream is finished when its last message is sent. */
export type RpcCallMeasure = {
  readonly service: string;
  readonly method: string;
  /** `ok`, or the Connect code's name, such as `not_found`. */
  readonly code: string;
  readonly durationMs: number;
};

/** What the interceptors need. */
export type RpcServerDeps = {
  readonly log: Log;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** If set, every call must carry it as a bearer token. */
  readonly token: string | undefined;
  readonly onCall?: (call: RpcCallMeasure) => void;
};

/** The interceptors of one server, in order. */
export function rpcServerInterceptors(deps: RpcServerDeps): Interceptor[] {
  const inner = [validationInterceptor((sharedValidator ??= createValidator()))];
  return [edgeInterceptor(deps), ...(deps.token === undefined ? [] : [tokenInterceptor(deps.token)]), ...inner];
}

/** One for all servers of a process: it keeps nothing but the rules that it has compiled, which takes a quarter of a second of CPU. */
let sharedValidator: Validator | undefined;

/** Gives the call its id, measures and logs it, and turns whatever it throws into what may leave the process. */
function edgeInterceptor(deps: RpcServerDeps): Interceptor {
  return (next) => async (request) => {
    const requestId = requestIdFromHeader(request.header.get(REQUEST_ID_HEADER), deps.entropy);
    request.contextValues.set(requestIdKey, requestId);
    const startMs = deps.clock.nowMs();
    const call = { service: request.service.name, method: request.method.name };
    const finish = (code: string, refused?: Fault): void => {
      const durationMs = deps.clock.nowMs() - startMs;
      deps.onCall?.({ ...call, code, durationMs });
      const fields = { ...call, code, durationMs, requestId };
      // A caller who asks why finds the refusal by its id, without the line of every call that went well.
      if (refused === undefined || refused.reason === Reason.CANCELED) deps.log.debug("rpc", fields);
      else deps.log.info("rpc refused", { ...fields, reason: reasonName(refused.reason), why: refused.message });
    };
    const fail = (error: unknown): ConnectError => {
      const refused = refusal(error, request.signal, requestId);
      if (refused.reason === Reason.INTERNAL) deps.log.error("rpc failed", { ...call, requestId }, error);
      const connectError = connectErrorFromFault(refused, requestId);
      connectError.metadata.set(REQUEST_ID_HEADER, requestId);
      finish(codeName(connectError.code), refused);
      return connectError;
    };
    try {
      const response = await next(request);
      response.header.set(REQUEST_ID_HEADER, requestId);
      if (!response.stream) {
        finish("ok");
        return response;
      }
      return { ...response, message: watched(response.message, finish, fail) };
    } catch (error) {
      throw fail(error);
    }
  };
}

async function* watched<T>(
  messages: AsyncIterable<T>,
  finish: (code: string) => void,
  fail: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  let open = true;
  try {
    yield* messages;
    open = false;
    finish("ok");
  } catch (error) {
    open = false;
    throw fail(error);
  } finally {
    // The caller went away: the generator is returned, and neither end nor error comes.
    if (open) finish("canceled");
  }
}

/** What a caller is told of an error: faults as they are, connect's own protocol errors by their code, all else as internal. */
function refusal(error: unknown, signal: AbortSignal, requestId: string): Fault {
  if (error instanceof Fault) return error;
  if (signal.aborted) return fault(Reason.CANCELED, "Call was given up by its caller", { cause: error });
  if (error instanceof ConnectError) {
    switch (error.code) {
      case Code.InvalidArgument:
        return fault(Reason.INVALID_REQUEST, error.rawMessage, { cause: error });
      case Code.ResourceExhausted:
        return fault(Reason.BODY_TOO_LARGE, error.rawMessage, { cause: error });
      case Code.Unimplemented:
        return fault(Reason.UNIMPLEMENTED, error.rawMessage, { cause: error });
      case Code.Canceled:
        return fault(Reason.CANCELED, "Call was given up by its caller", { cause: error });
      case Code.DeadlineExceeded:
        return fault(Reason.CALL_TIMED_OUT, "Call took longer than its deadline", { cause: error });
      default:
    }
  }
  return fault(Reason.INTERNAL, `Internal error: the log has it under request id ${requestId}`, { cause: error });
}

function tokenInterceptor(token: string): Interceptor {
  const check = createTokenCheck(token);
  return (next) => async (request) => {
    if (await check(tokenFromAuthorization(request.header.get("authorization")))) return next(request);
    const what = request.header.has("authorization") ? "the token is wrong" : "no token was sent";
    throw fault(Reason.UNAUTHENTICATED, `Cannot call ${request.method.name}: ${what}`);
  };
}

function validationInterceptor(validator: Validator): Interceptor {
  return (next) => async (request) => {
    if (!request.stream) {
      assertValid(validator, request, request.message);
      return next(request);
    }
    return next({ ...request, message: validated(validator, request) });
  };
}

async function* validated(validator: Validator, request: StreamRequest): AsyncGenerator<Message> {
  for await (const message of request.message) {
    assertValid(validator, request, message);
    yield message;
  }
}

function assertValid(validator: Validator, request: UnaryRequest | StreamRequest, message: Message): void {
  const schema: DescMessage = request.method.input;
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  if (result.kind === "error") throw result.error;
  const violation = result.violations[0];
  const field = violation === undefined ? "" : pathToString(violation.field);
  const more = result.violations.length > 1 ? ` (and ${String(result.violations.length - 1)} more)` : "";
  throw fault(
    Reason.INVALID_REQUEST,
    `Cannot accept ${schema.name}: ${field === "" ? "" : `${field}: `}${violation?.message ?? "it is invalid"}${more}`,
    { subject: field },
  );
}
