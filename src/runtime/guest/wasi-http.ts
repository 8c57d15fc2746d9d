/** `wasi:http/types`, for a guest that answers requests and makes none of its own. */
import type { HttpExchange } from "./http-exchange.ts";
import { Fields } from "./http-fields.ts";
import type { MessagePump } from "./message-pump.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import { FutureIncomingResponse, IncomingResponse, OutgoingRequest, RequestOptions } from "./wasi-http-client.ts";
import { InputStream, Pollable } from "./wasi-io.ts";

/** Variant without payload, or with the text of `other`. */
export type NamedVariant = { readonly tag: string; readonly val?: string };

/** Variant `error-code`, as far as it is looked at. */
type ErrorCode = { readonly tag: string; readonly val?: unknown };

const METHODS = new Set(["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"]);

/** Resource `incoming-request`. */
export class IncomingRequest {
  readonly #exchange: HttpExchange;
  readonly #pump: MessagePump;
  readonly #headers: Fields;
  #isConsumed = false;

  constructor(exchange: HttpExchange, pump: MessagePump) {
    this.#exchange = exchange;
    this.#pump = pump;
    this.#headers = Fields.fromRequest(exchange.request.headers);
  }

  method(): NamedVariant {
    const { method } = this.#exchange.request;
    return METHODS.has(method.toLowerCase()) ? { tag: method.toLowerCase() } : { tag: "other", val: method };
  }

  pathWithQuery(): string {
    return this.#exchange.request.pathWithQuery;
  }

  scheme(): NamedVariant {
    return { tag: this.#exchange.request.scheme.toUpperCase() };
  }

  authority(): string {
    return this.#exchange.request.authority;
  }

  headers(): Fields {
    return this.#headers;
  }

  consume(): IncomingBody {
    if (this.#isConsumed) throw undefined;
    this.#isConsumed = true;
    return new IncomingBody(this.#exchange, this.#pump);
  }
}

/** Resource `incoming-body`. */
export class IncomingBody {
  readonly #exchange: HttpExchange;
  readonly #pump: MessagePump;
  #isTaken = false;

  constructor(exchange: HttpExchange, pump: MessagePump) {
    this.#exchange = exchange;
    this.#pump = pump;
  }

  /** Trailers are not carried: there never are any. */
  static finish(body: IncomingBody): FutureTrailers {
    return new FutureTrailers(body.#pump);
  }

  stream(): InputStream {
    if (this.#isTaken) throw undefined;
    this.#isTaken = true;
    return new InputStream(this.#exchange.requestBody, this.#pump);
  }
}

/** Resource `future-trailers`: ready at once, with none. */
export class FutureTrailers {
  readonly #pump: MessagePump;
  #isTaken = false;

  constructor(pump: MessagePump) {
    this.#pump = pump;
  }

  subscribe(): Pollable {
    return new Pollable({ isReady: () => true, request: () => {}, readyAtNs: undefined }, this.#pump);
  }

  get(): { tag: "err" } | { tag: "ok"; val: { tag: "ok"; val: undefined } } {
    if (this.#isTaken) return { tag: "err" };
    this.#isTaken = true;
    return { tag: "ok", val: { tag: "ok", val: undefined } };
  }
}

/** Resource `outgoing-response`. */
export class OutgoingResponse {
  readonly #headers: Fields;
  #status = 200;
  #body: OutgoingBody | undefined;

  constructor(headers: Fields) {
    this.#headers = headers;
    headers.freeze();
  }

  statusCode(): number {
    return this.#status;
  }

  setStatusCode(status: number): void {
    if (status < 200 || status > 599) throw undefined;
    this.#status = status;
  }

  headers(): Fields {
    return this.#headers;
  }

  body(): OutgoingBody {
    if (this.#body !== undefined) throw undefined;
    this.#body = new OutgoingBody();
    return this.#body;
  }

  /** Sends this response as the answer of the exchange. */
  sendTo(exchange: HttpExchange): void {
    exchange.sendHead(this.#status, this.#headers.toPairs());
    if (this.#body === undefined) exchange.finishBody();
    else this.#body.attach(exchange);
  }
}

/** Resource `response-outparam`. */
export class ResponseOutparam {
  readonly #exchange: HttpExchange;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  static set(
    outparam: ResponseOutparam,
    response: { tag: "ok"; val: OutgoingResponse } | { tag: "err"; val: ErrorCode },
  ): void {
    if (response.tag === "ok") response.val.sendTo(outparam.#exchange);
    else outparam.#exchange.sendError(textFromErrorCode(response.val));
  }

  /** Informational responses (1xx) are not passed on. */
  sendInformational(): void {
    throw { tag: "internal-error", val: "informational responses are not passed on" } satisfies ErrorCode;
  }
}

/** The interface; classes are the same for all guests of a thread, which is one. */
export function httpInterfaces(): Record<string, Record<string, unknown>> {
  return {
    "wasi:http/types": {
      Fields,
      IncomingRequest,
      IncomingBody,
      FutureTrailers,
      OutgoingResponse,
      OutgoingBody,
      ResponseOutparam,
      OutgoingRequest,
      RequestOptions,
      IncomingResponse,
      FutureIncomingResponse,
      httpErrorCode: () => undefined,
    },
    "wasi:http/outgoing-handler": {
      handle() {
        throw { tag: "HTTP-request-denied" } satisfies ErrorCode;
      },
    },
  };
}

function textFromErrorCode({ tag, val }: ErrorCode): string {
  return typeof val === "string" ? `${tag} (${val})` : tag;
}
