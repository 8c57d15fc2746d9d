/** `wasi:http/outgoing-handler`: requests that a guest makes. */
import type { GuestLine, OutgoingExchange, OutgoingHead } from "./guest-line.ts";
import type { GivingWay } from "./giving-way.ts";
import { errorCodeFrom, type ErrorCode } from "./http-error-code.ts";
import { IncomingResponse } from "./http-incoming.ts";
import type { OutgoingRequest, RequestOptions } from "./http-outgoing.ts";
import { Readiness } from "./readiness.ts";
import { err, ok, REFUSED, type WitResult } from "./wit-result.ts";

const NS_PER_MS = 1_000_000n;
/** Longer is as good as for ever, and a timer could not hold it. */
const TIMEOUT_MAX_MS = 2n ** 31n - 1n;

/** The outcome of a request. */
type Outcome = WitResult<IncomingResponse, ErrorCode>;

/** Resource `future-incoming-response`. */
export class FutureIncomingResponse {
  readonly readiness: Readiness;
  readonly #exchange: OutgoingExchange;
  #outcome: Outcome | undefined;
  #isTaken = false;

  constructor(exchange: OutgoingExchange) {
    this.#exchange = exchange;
    const settled = this.#settle();
    this.readiness = new Readiness({ isReady: () => this.#outcome !== undefined, whenReady: () => settled });
  }

  get(giveWay: GivingWay): WitResult<Outcome, undefined> | undefined | Promise<undefined> {
    if (this.#isTaken) return REFUSED;
    if (this.#outcome === undefined) return giveWay(undefined);
    this.#isTaken = true;
    return ok(this.#outcome);
  }

  async #settle(): Promise<void> {
    const response = await this.#exchange.response;
    this.#outcome = response.tag === "ok" ? ok(new IncomingResponse(response.val)) : err(errorCodeFrom(response.val));
  }

  /** Dropped: a response that the guest has not taken is not wanted. */
  drop(): void {
    if (!this.#isTaken) this.#exchange.abandon();
  }
}

/** `handle`. What the agent refuses comes by the future; what could not even be asked for comes at once. */
export function sendRequest(
  line: GuestLine,
  request: OutgoingRequest,
  options: RequestOptions | undefined,
): WitResult<FutureIncomingResponse, ErrorCode> {
  const head = headOf(request, options);
  request.drop();
  if (head.tag === "err") {
    request.takenBody?.abandon("the request was not sent");
    return head;
  }
  const exchange = line.http(head.val);
  if (request.takenBody === undefined) exchange.body.finish();
  // What waited in the body is bounded and goes out as the sink takes it; nobody has to wait for that here.
  else void request.takenBody.attach(exchange.body);
  return ok(new FutureIncomingResponse(exchange));
}

function headOf(request: OutgoingRequest, options: RequestOptions | undefined): WitResult<OutgoingHead, ErrorCode> {
  const { method, scheme, authority, pathWithQuery, headers } = request;
  const schemeName = scheme === undefined ? "https" : (scheme.val ?? scheme.tag).toLowerCase();
  if (schemeName !== "http" && schemeName !== "https") return err({ tag: "HTTP-protocol-error", val: undefined });
  if (authority === undefined || authority === "") return err({ tag: "HTTP-request-URI-invalid", val: undefined });
  return ok({
    method: method.val ?? method.tag.toUpperCase(),
    scheme: schemeName,
    authority,
    pathWithQuery: pathFrom(pathWithQuery),
    headers: headers.toPairs(),
    hasBody: request.takenBody !== undefined,
    connectTimeoutMs: msFromNs(options?.connectTimeoutNs),
    firstByteTimeoutMs: msFromNs(options?.firstByteTimeoutNs),
    betweenBytesTimeoutMs: msFromNs(options?.betweenBytesTimeoutNs),
  });
}

/** Guests leave the path out, or give a query alone. */
function pathFrom(pathWithQuery: string | undefined): string {
  if (pathWithQuery === undefined || pathWithQuery === "") return "/";
  return pathWithQuery.startsWith("/") || pathWithQuery === "*" ? pathWithQuery : `/${pathWithQuery}`;
}

/** Rounded up: a timeout that is not none is at least a millisecond. */
function msFromNs(ns: bigint | undefined): number | undefined {
  if (ns === undefined) return undefined;
  const ms = (ns + NS_PER_MS - 1n) / NS_PER_MS;
  return Number(ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : ms < 1n ? 1n : ms);
}
