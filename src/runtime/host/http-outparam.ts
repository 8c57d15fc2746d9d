/** Resource `response-outparam` of `wasi:http`, and how an HTTP handler is called. */
import type { IncomingExchange } from "./guest-line.ts";
import { internalError, textFromErrorCode, type ErrorCode } from "./http-error-code.ts";
import type { Fields } from "./http-fields.ts";
import { IncomingRequest } from "./http-incoming.ts";
import type { OutgoingBody, OutgoingResponse } from "./http-outgoing.ts";
import { err, type WitResult } from "./wit-result.ts";

/** The way for the one response of an exchange. */
export class ResponseOutparam {
  readonly #exchange: IncomingExchange;
  #isSet = false;
  #body: OutgoingBody | undefined;
  #sent: Promise<void> | undefined;

  constructor(exchange: IncomingExchange) {
    this.#exchange = exchange;
  }

  /** `[static]response-outparam.set`: the head goes out now. The guest has no handle for a second call. */
  set(response: WitResult<OutgoingResponse, ErrorCode>): void {
    if (this.#isSet) return;
    this.#isSet = true;
    if (response.tag === "err") return this.#exchange.respondError(textFromErrorCode(response.val));
    const { status, headers, takenBody } = response.val;
    const sink = this.#exchange.respond({ status, headers: headers.toPairs() });
    response.val.drop();
    this.#body = takenBody;
    if (takenBody === undefined) sink.finish();
    else this.#sent = takenBody.attach(sink) ?? undefined;
  }

  /** Informational responses (1xx) are not passed on. */
  sendInformational(_status: number, headers: Fields): WitResult<never, ErrorCode> {
    headers.drop();
    return err(internalError("informational responses are not passed on"));
  }

  /** The handler has returned: what is missing now stays missing. Resolves when what it wrote has gone out. */
  async close(): Promise<void> {
    if (!this.#isSet) return this.#exchange.respondError("the handler returned without a response");
    this.#body?.abandon("the handler returned before its response was complete");
    await this.#sent;
  }

  /** The handler was left by a trap or an exit. A response that has not begun is for the caller to give. */
  break(): void {
    this.#body?.abandon("the handler ended before its response was complete");
  }
}

/** The exported `handle`, with its two arguments as the component binder takes them. */
export type HttpHandler = (request: IncomingRequest, outparam: ResponseOutparam) => unknown;

/**
 * Calls an HTTP handler for one exchange. Resolves when the handler has returned and its response, or an error in place of one,
 * has gone to the exchange. Rethrows what the handler throws (a trap, `GuestExit`): a response that has begun is then cut off, one
 * that has not is left to the caller.
 */
export async function serveHttp(exchange: IncomingExchange, handle: HttpHandler): Promise<void> {
  const outparam = new ResponseOutparam(exchange);
  try {
    await handle(new IncomingRequest(exchange), outparam);
    await outparam.close();
  } catch (error) {
    outparam.break();
    throw error;
  } finally {
    exchange.body.cancel();
  }
}
