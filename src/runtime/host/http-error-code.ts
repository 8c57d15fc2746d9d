/** Variant `error-code` of `wasi:http/types`: made from what a provider says, and read from what a guest says. */
import type { OutgoingHttpError } from "../../providers/http/http.ts";

/** `{ tag, val }` of `error-code`. */
export type ErrorCode = { readonly tag: string; readonly val: unknown };

const NO_FIELD_SIZE = { "field-name": undefined, "field-size": undefined };

/** All cases, with the payload of those that have one, as far as a provider can know it. */
const PAYLOADS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["DNS-timeout", undefined],
  ["DNS-error", { rcode: undefined, "info-code": undefined }],
  ["destination-not-found", undefined],
  ["destination-unavailable", undefined],
  ["destination-IP-prohibited", undefined],
  ["destination-IP-unroutable", undefined],
  ["connection-refused", undefined],
  ["connection-terminated", undefined],
  ["connection-timeout", undefined],
  ["connection-read-timeout", undefined],
  ["connection-write-timeout", undefined],
  ["connection-limit-reached", undefined],
  ["TLS-protocol-error", undefined],
  ["TLS-certificate-error", undefined],
  ["TLS-alert-received", { "alert-id": undefined, "alert-message": undefined }],
  ["HTTP-request-denied", undefined],
  ["HTTP-request-length-required", undefined],
  ["HTTP-request-body-size", undefined],
  ["HTTP-request-method-invalid", undefined],
  ["HTTP-request-URI-invalid", undefined],
  ["HTTP-request-URI-too-long", undefined],
  ["HTTP-request-header-section-size", undefined],
  ["HTTP-request-header-size", undefined],
  ["HTTP-request-trailer-section-size", undefined],
  ["HTTP-request-trailer-size", NO_FIELD_SIZE],
  ["HTTP-response-incomplete", undefined],
  ["HTTP-response-header-section-size", undefined],
  ["HTTP-response-header-size", NO_FIELD_SIZE],
  ["HTTP-response-body-size", undefined],
  ["HTTP-response-trailer-section-size", undefined],
  ["HTTP-response-trailer-size", NO_FIELD_SIZE],
  ["HTTP-response-transfer-coding", undefined],
  ["HTTP-response-content-coding", undefined],
  ["HTTP-response-timeout", undefined],
  ["HTTP-upgrade-failed", undefined],
  ["HTTP-protocol-error", undefined],
  ["loop-detected", undefined],
  ["configuration-error", undefined],
]);

/** The case that the provider named, without details that it does not tell; `internal-error` with its message for a name that is none. */
export function errorCodeFrom({ code, message }: OutgoingHttpError): ErrorCode {
  return PAYLOADS.has(code) ? { tag: code, val: PAYLOADS.get(code) } : { tag: "internal-error", val: message };
}

/** `internal-error` with a sentence. */
export function internalError(message: string): ErrorCode {
  return { tag: "internal-error", val: message };
}

/** The peer or the client broke off. */
export const CONNECTION_TERMINATED: ErrorCode = { tag: "connection-terminated", val: undefined };

/** For the streams of bodies. */
export function connectionTerminated(): { readonly http: ErrorCode } {
  return { http: CONNECTION_TERMINATED };
}

/** For people: `HTTP-request-denied`, `internal-error (no such table)`. */
export function textFromErrorCode({ tag, val }: ErrorCode): string {
  return typeof val === "string" ? `${tag} (${val})` : tag;
}
