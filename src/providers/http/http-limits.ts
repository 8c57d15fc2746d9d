/** What an outgoing HTTP provider refuses to exceed. */
import { fault, Reason } from "../../fault.ts";

/** All are positive whole numbers. */
export type HttpLimits = {
  /** Requests under way, from `send` until the response's body has ended; one more throws `PROVIDER_LIMIT`. */
  readonly requestsMax: number;
  /** The same of one instance. */
  readonly requestsPerInstanceMax: number;
  /** Connections kept for later requests; the one that was idle longest is closed for another. */
  readonly idleConnectionsMax: number;
  /** How long a connection is kept for later requests; a server may ask for less. */
  readonly idleConnectionMaxMs: number;
  /** Requests that one connection carries before it is closed. */
  readonly requestsPerConnectionMax: number;
  /** Addresses of one name that are tried in turn. */
  readonly addressesTriedMax: number;
  /** How long the addresses of a name are remembered. */
  readonly nameMaxAgeMs: number;
  /** Names that are remembered. */
  readonly namesRememberedMax: number;
  /** From `send` until connected: resolving the name, all attempts, TLS. */
  readonly connectMaxMs: number;
  /** Waiting for the peer to take a part of the request, or to begin its response. */
  readonly firstByteMaxMs: number;
  /** Waiting for the next part of the response while the caller wants it. */
  readonly betweenBytesMaxMs: number;
  /** From `send` until the end of the response's body, whoever is slow. */
  readonly totalMaxMs: number;
  /** Length of path and query in bytes. */
  readonly pathMaxBytes: number;
  /** Names and values of request headers together, four bytes more for each. */
  readonly requestHeaderMaxBytes: number;
  readonly requestBodyMaxBytes: number;
  /** Names and values of response headers or trailers together. */
  readonly responseHeaderMaxBytes: number;
  readonly responseBodyMaxBytes: number;
  /** Bytes of a response that wait for the caller; beyond it, the peer waits. May be exceeded by one read from the socket. */
  readonly responseBufferMaxBytes: number;
};

/** Limits that suit many small guests on one node. */
export const HTTP_DEFAULT_LIMITS: HttpLimits = {
  requestsMax: 512,
  requestsPerInstanceMax: 64,
  idleConnectionsMax: 128,
  idleConnectionMaxMs: 4_000,
  requestsPerConnectionMax: 1_000,
  addressesTriedMax: 4,
  nameMaxAgeMs: 1_000,
  namesRememberedMax: 1_000,
  connectMaxMs: 10_000,
  firstByteMaxMs: 60_000,
  betweenBytesMaxMs: 60_000,
  totalMaxMs: 600_000,
  pathMaxBytes: 16 * 1024,
  requestHeaderMaxBytes: 64 * 1024,
  requestBodyMaxBytes: 1024 * 1024 * 1024,
  responseHeaderMaxBytes: 64 * 1024,
  responseBodyMaxBytes: 1024 * 1024 * 1024,
  responseBufferMaxBytes: 256 * 1024,
};

/** The default limits with `overrides`; throws `LIMIT_INVALID` for one that is not a positive whole number. */
export function httpLimitsFrom(overrides: Partial<HttpLimits> = {}): HttpLimits {
  const limits = { ...HTTP_DEFAULT_LIMITS, ...overrides };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw fault(
        Reason.LIMIT_INVALID,
        `Cannot open HTTP provider: ${name} is not a positive whole number (got ${value})`,
        { subject: name },
      );
    }
  }
  return limits;
}
