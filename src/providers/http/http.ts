/**
 * The contract of an outgoing HTTP provider: what `wasi:http/outgoing-handler` asks for.
 *
 * The provider checks each request itself, because only it sees the address that a name resolves to and where a
 * redirect leads; `rules` say what the instance may do at this moment.
 */

/** Header names and values as sent, in order; names may repeat. Values are bytes read as Latin-1. */
export type HttpHeaders = readonly (readonly [string, string])[];

/** What an instance may reach. Deny wins. */
export type HttpRules = {
  /** `http:request`, `http:domain:<domain>[:port]`. */
  readonly permissions: readonly string[];
  readonly deniedPermissions: readonly string[];
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
  readonly headers: HttpHeaders;
  /** Must be read to its end or returned. Throws a `Fault` if the peer breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
};

/** Why there is no response; `code` is the case of `wasi:http/types.error-code`. */
export type OutgoingHttpError = { readonly code: string; readonly message: string };

/** See the top of the file. */
export interface HttpProvider {
  /**
   * Sends one request; redirects are not followed, as `wasi:http` has it: the guest does that by itself, and is checked anew.
   * Throws `CAPABILITY_DENIED`, `PROVIDER_LIMIT`, `PROVIDER_UNAVAILABLE`; each with an `OutgoingHttpError` as cause.
   */
  send(request: HttpRequest, rules: HttpRules, signal: AbortSignal): Promise<HttpResponse>;
  /** Lets requests finish within `graceMs`, then cuts them. May be called twice. */
  close(graceMs: number): Promise<void>;
}
