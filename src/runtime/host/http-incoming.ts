/** What comes to a guest by `wasi:http`: requests, responses, their bodies and trailers. */
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { ByteSource, IncomingExchange, SourceTaken } from "./guest-line.ts";
import type { GivingWay } from "./giving-way.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { CONNECTION_TERMINATED, connectionTerminated, type ErrorCode } from "./http-error-code.ts";
import { Fields } from "./http-fields.ts";
import { InputStream, READ_MAX_BYTES } from "./input-stream.ts";
import { Readiness } from "./readiness.ts";
import { err, ok, REFUSED, type WitResult } from "./wit-result.ts";

/** A variant whose payload, if it has one, is the text of `other`. */
export type NamedVariant = { readonly tag: string; readonly val: string | undefined };

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]);

/** Resource `incoming-request`. */
export class IncomingRequest {
  readonly #exchange: IncomingExchange;
  #isConsumed = false;

  constructor(exchange: IncomingExchange) {
    this.#exchange = exchange;
  }

  method(): NamedVariant {
    const { method } = this.#exchange;
    return METHODS.has(method) ? { tag: method.toLowerCase(), val: undefined } : { tag: "other", val: method };
  }

  pathWithQuery(): string {
    return this.#exchange.pathWithQuery;
  }

  scheme(): NamedVariant {
    return { tag: this.#exchange.scheme.toUpperCase(), val: undefined };
  }

  authority(): string {
    return this.#exchange.authority;
  }

  headers(held: HeldBytes): Fields {
    return Fields.fromOutside(held, this.#exchange.headers);
  }

  consume(): WitResult<IncomingBody, undefined> {
    if (this.#isConsumed) return REFUSED;
    this.#isConsumed = true;
    return ok(new IncomingBody(this.#exchange.body));
  }
}

/** Resource `incoming-response`. */
export class IncomingResponse {
  readonly status: number;
  readonly #headers: HttpHeaders;
  readonly #body: ByteSource;
  #isConsumed = false;

  constructor({ status, headers, body }: { status: number; headers: HttpHeaders; body: ByteSource }) {
    this.status = status;
    this.#headers = headers;
    this.#body = body;
  }

  headers(held: HeldBytes): Fields {
    return Fields.fromOutside(held, this.#headers);
  }

  consume(): WitResult<IncomingBody, undefined> {
    if (this.#isConsumed) return REFUSED;
    this.#isConsumed = true;
    return ok(new IncomingBody(this.#body));
  }

  /** Dropped: a body that nobody took is not wanted. */
  drop(): void {
    if (!this.#isConsumed) this.#body.cancel();
  }
}

/** How the end of a body looks. */
type BodyEnd = { readonly kind: "trailers"; readonly trailers: HttpHeaders | undefined } | { readonly kind: "failed" };

/** A source that remembers its end, for the trailers. */
class WatchedSource implements ByteSource {
  readonly #source: ByteSource;
  end: BodyEnd | undefined;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  isReady(): boolean {
    return this.end !== undefined || this.#source.isReady();
  }

  whenReady(): Promise<void> {
    return this.end === undefined ? this.#source.whenReady() : Promise.resolve();
  }

  take(maxBytes: number): SourceTaken {
    const taken = this.#source.take(maxBytes);
    if (taken.kind === "end") this.end ??= { kind: "trailers", trailers: taken.trailers };
    if (taken.kind === "failed") this.end ??= { kind: "failed" };
    return taken;
  }

  cancel(): void {
    this.#source.cancel();
  }
}

/** Resource `incoming-body`. */
export class IncomingBody {
  readonly #source: WatchedSource;
  #isTaken = false;

  constructor(source: ByteSource) {
    this.#source = new WatchedSource(source);
  }

  stream(): WitResult<InputStream, undefined> {
    if (this.#isTaken) return REFUSED;
    this.#isTaken = true;
    return ok(new InputStream(this.#source, connectionTerminated));
  }

  /** `[static]incoming-body.finish`. */
  finish(): FutureTrailers {
    return new FutureTrailers(this.#source);
  }

  /** Dropped: nobody wants the rest. */
  drop(): void {
    this.#source.cancel();
  }
}

/** `result<option<trailers>, error-code>`. */
type Trailers = WitResult<Fields | undefined, ErrorCode>;

/** Resource `future-trailers`: there when the body has come to its end; what the guest has not read of it is skipped. */
export class FutureTrailers {
  readonly readiness: Readiness;
  readonly #source: WatchedSource;
  #isTaken = false;

  constructor(source: WatchedSource) {
    this.#source = source;
    this.readiness = new Readiness({
      isReady: () => this.#skipToEnd() !== undefined,
      whenReady: () => source.whenReady(),
    });
  }

  get(held: HeldBytes, giveWay: GivingWay): WitResult<Trailers, undefined> | undefined | Promise<undefined> {
    if (this.#isTaken) return REFUSED;
    const end = this.#skipToEnd();
    if (end === undefined) return giveWay(undefined);
    this.#isTaken = true;
    if (end.kind === "failed") return ok(err(CONNECTION_TERMINATED));
    return ok(ok(end.trailers === undefined ? undefined : Fields.fromOutside(held, end.trailers)));
  }

  /** Dropped: nobody wants the rest. */
  drop(): void {
    this.#source.cancel();
  }

  #skipToEnd(): BodyEnd | undefined {
    // The first `take` also sets the source going.
    while (this.#source.end === undefined) {
      const taken = this.#source.take(READ_MAX_BYTES);
      if (taken.kind === "bytes" && taken.bytes.length === 0) break;
    }
    return this.#source.end;
  }
}
