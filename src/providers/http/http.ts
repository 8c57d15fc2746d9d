/**
 * The contract of an outgoing HTTP provider: what `wasi:http/outgoing-handler` asks for.
 *
 * The provider checks each request itself, because only it sees the address that a name resolves to; the caller's rules say
 * what the instance may do at this moment.
 */

/** Header names and values as sent, in order; names may repeat. Values are bytes read as Latin-1. */
export type HttpHeaders = readonly (readonly [string, string])[];

/** What an instance may reach. Deny wins. */
export type HttpRules = {
  /** `http:request`, `http:domain:<domain>[:port]`. */
  readonly permissions: readonly string[];
  readonly deniedPermissions: readonly string[];
};

/** In whose name a request goes out. */
export type HttpCaller = HttpRules & {
  /** Requests of one instance are counted together, and share connections with no other's. */
  readonly instanceId: string;
};

/** A request to the outside. */
export type HttpRequest = {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly headers: HttpHeaders;
  /** Read as fast as the peer takes it; `undefined` for none. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly firstByteTimeoutMs: number | undefined;
  readonly betweenBytesTimeoutMs: number | undefined;
};

/** Its response. */
export type HttpResponse = {
  readonly status: number;
  /** Without those that concern only the connection (`connection`, `transfer-encoding`, ...). */
  readonly headers: HttpHeaders;
  /**
   * Must be read to its end or returned; until then it counts as a request under way. Throws a `Fault`, with an
   * `OutgoingHttpError` as cause, if the peer breaks off, a limit is reached or the signal aborts.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** What came after the body, known when it has been read to its end; `undefined` if nothing came. */
  readonly trailers?: () => HttpHeaders | undefined;
};

/** Why there is no response; `code` is the case of `wasi:http/types.error-code`. */
export type OutgoingHttpError = { readonly code: string; readonly message: string };

/** See the top of the file. */
export interface HttpProvider {
  /**
   * Sends one request; redirects are not followed, as `wasi:http` has it: the guest does that by itself, and is checked anew.
   * Headers that concern only the connection, and `host`, are left out; the authority says where the request goes. Timeouts beyond
   * the provider's own are cut to it.
   *
   * Throws `CAPABILITY_DENIED` (its subject is the permission that would be needed), `ARGUMENT_INVALID`, `PROVIDER_LIMIT`,
   * `PROVIDER_UNAVAILABLE`, `CANCELED` (by `signal`, which ends the response's body as well) or `PROVIDER_STOPPED`; each with an
   * `OutgoingHttpError` as cause.
   */
  send(request: HttpRequest, caller: HttpCaller, signal: AbortSignal): Promise<HttpResponse>;
  /** Lets requests finish within `graceMs`, then cuts them. May be called twice. */
  close(graceMs: number): Promise<void>;
}
