/** What a guest sends by `wasi:http`: bodies, requests, responses and the options of a request. */
import type { ByteSink } from "./guest-line.ts";
import { BodySink } from "./body-sink.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { CONNECTION_TERMINATED, connectionTerminated, type ErrorCode } from "./http-error-code.ts";
import type { Fields } from "./http-fields.ts";
import type { NamedVariant } from "./http-incoming.ts";
import { OutputStream } from "./output-stream.ts";
import { DONE, err, ok, REFUSED, type WitResult } from "./wit-result.ts";

/** Characters of a path, an authority or a method. */
const TEXT_MAX_CHARACTERS = 8 * 1024;

/** What a body belongs to; decides which error says that its length is wrong. */
export type BodyOwner = "request" | "response";

/** A body that is attached when its message is sent. */
export class OutgoingBody {
  readonly #sink: BodySink;
  readonly #owner: BodyOwner;
  #isTaken = false;

  constructor(held: HeldBytes, owner: BodyOwner, headers: Fields) {
    this.#sink = new BodySink(held, announcedLength(headers));
    this.#owner = owner;
  }

  write(): WitResult<OutputStream, undefined> {
    if (this.#isTaken) return REFUSED;
    this.#isTaken = true;
    return ok(new OutputStream(this.#sink, connectionTerminated));
  }

  /** `[static]outgoing-body.finish`. */
  finish(trailers: Fields | undefined): WitResult<undefined, ErrorCode> {
    if (!this.#sink.isLengthRight) {
      this.#sink.abort("the body is shorter than its content-length");
      return err({ tag: `HTTP-${this.#owner}-body-size`, val: BigInt(this.#sink.writtenBytes) });
    }
    if (this.#sink.failure !== undefined) return err(CONNECTION_TERMINATED);
    this.#sink.finish(trailers?.toPairs());
    trailers?.drop();
    return DONE;
  }

  /** The message is sent: what was written goes out, at once or as there is room. */
  attach(target: ByteSink): void | Promise<void> {
    return this.#sink.attach(target);
  }

  /** Dropped, or the handler has returned: unless it was finished before, it stays incomplete. */
  abandon(message: string): void {
    this.#sink.abort(message);
  }
}

/** Only digits count: whether any other text is a length is for whoever sends the message to refuse. */
function announcedLength(headers: Fields): number | undefined {
  const [value] = headers.toPairs().filter(([name]) => name.toLowerCase() === "content-length");
  return value !== undefined && /^\d{1,15}$/.test(value[1]) ? Number(value[1]) : undefined;
}

/** Resource `outgoing-response`. */
export class OutgoingResponse {
  readonly headers: Fields;
  readonly #held: HeldBytes;
  #status = 200;
  #body: OutgoingBody | undefined;

  constructor(held: HeldBytes, headers: Fields) {
    this.#held = held;
    this.headers = headers.freeze();
  }

  get status(): number {
    return this.#status;
  }

  /** What the guest has taken to write to, if it has. */
  get takenBody(): OutgoingBody | undefined {
    return this.#body;
  }

  setStatusCode(status: number): WitResult<undefined, undefined> {
    if (status < 200 || status > 599) return REFUSED;
    this.#status = status;
    return DONE;
  }

  body(): WitResult<OutgoingBody, undefined> {
    if (this.#body !== undefined) return REFUSED;
    this.#body = new OutgoingBody(this.#held, "response", this.headers);
    return ok(this.#body);
  }

  drop(): void {
    this.headers.drop();
  }
}

/** Resource `outgoing-request`. Setters refuse what could not stand in a request's first lines. */
export class OutgoingRequest {
  readonly headers: Fields;
  readonly #held: HeldBytes;
  #method: NamedVariant = { tag: "get", val: undefined };
  #pathWithQuery: string | undefined;
  #scheme: NamedVariant | undefined;
  #authority: string | undefined;
  #body: OutgoingBody | undefined;

  constructor(held: HeldBytes, headers: Fields) {
    this.#held = held;
    this.headers = headers.freeze();
  }

  get method(): NamedVariant {
    return this.#method;
  }

  get pathWithQuery(): string | undefined {
    return this.#pathWithQuery;
  }

  get scheme(): NamedVariant | undefined {
    return this.#scheme;
  }

  get authority(): string | undefined {
    return this.#authority;
  }

  /** What the guest has taken to write to, if it has. */
  get takenBody(): OutgoingBody | undefined {
    return this.#body;
  }

  setMethod(method: NamedVariant): WitResult<undefined, undefined> {
    if (method.tag === "other" && !fits(method.val, METHOD_PATTERN)) return REFUSED;
    this.#method = method;
    return DONE;
  }

  setPathWithQuery(pathWithQuery: string | undefined): WitResult<undefined, undefined> {
    if (pathWithQuery !== undefined && !fits(pathWithQuery, PATH_PATTERN)) return REFUSED;
    this.#pathWithQuery = pathWithQuery;
    return DONE;
  }

  setScheme(scheme: NamedVariant | undefined): WitResult<undefined, undefined> {
    if (scheme?.tag === "other" && !fits(scheme.val, SCHEME_PATTERN)) return REFUSED;
    this.#scheme = scheme;
    return DONE;
  }

  setAuthority(authority: string | undefined): WitResult<undefined, undefined> {
    if (authority !== undefined && !fits(authority, AUTHORITY_PATTERN)) return REFUSED;
    this.#authority = authority;
    return DONE;
  }

  body(): WitResult<OutgoingBody, undefined> {
    if (this.#body !== undefined) return REFUSED;
    this.#body = new OutgoingBody(this.#held, "request", this.headers);
    return ok(this.#body);
  }

  drop(): void {
    this.headers.drop();
  }
}

const METHOD_PATTERN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME_PATTERN = /^[A-Za-z][A-Za-z0-9+\-.]*$/;
/** Host, or address in brackets, and maybe a port; without user and password. */
const AUTHORITY_PATTERN = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::\d{0,5})?$/;
/** From the path on, anything that is printed and has no meaning to the request line. Text beyond ASCII is for the guest to encode. */
const PATH_PATTERN = /^[\x21-\x7e]*$/;

function fits(text: string | undefined, pattern: RegExp): boolean {
  return text !== undefined && text.length <= TEXT_MAX_CHARACTERS && pattern.test(text);
}

/** Resource `request-options`; durations in nanoseconds. */
export class RequestOptions {
  connectTimeoutNs: bigint | undefined;
  firstByteTimeoutNs: bigint | undefined;
  betweenBytesTimeoutNs: bigint | undefined;
}
