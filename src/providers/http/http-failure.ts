/** What can go wrong with an outgoing request, in the words of `wasi:http/types.error-code`. Pure. */
import { errors } from "undici";
import { fault, Fault, Reason } from "../../fault.ts";
import type { OutgoingHttpError } from "./http.ts";

/** A failure before it is known to which request it belongs. */
export type HttpFailure = {
  readonly reason: Reason;
  /** The case of `error-code`. */
  readonly code: string;
  /** Ends the sentence `Cannot send request to example.com: ...`. */
  readonly problem: string;
  readonly cause?: unknown;
};

/** The error that a caller gets; its cause is an `OutgoingHttpError`, which carries the error underneath in turn. */
export function faultFromHttpFailure(authority: string, failure: HttpFailure, subject: string = authority): Fault {
  const message = `Cannot send request to ${authority.slice(0, AUTHORITY_SHOWN_CHARACTERS) || "nowhere"}: ${failure.problem}`;
  const cause: OutgoingHttpError & { cause?: unknown } = { code: failure.code, message, cause: failure.cause };
  return fault(failure.reason, message, { subject, cause });
}

/** The `wasi:http` error in what a provider threw; `internal-error` for anything else. */
export function outgoingHttpErrorFrom(error: unknown): OutgoingHttpError {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Fault ? error.cause : undefined;
  return isOutgoingHttpError(cause)
    ? { code: cause.code, message: cause.message }
    : { code: "internal-error", message };
}

/** What an error while connecting means. */
export function connectFailure(error: unknown): HttpFailure {
  const code = codeOf(error);
  const found = CONNECT_CODES[code];
  if (found !== undefined) return unavailable(found[0], found[1], error);
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || CERTIFICATE_CODES.test(code)) {
    return unavailable("TLS-certificate-error", `its certificate is not accepted (${messageOf(error)})`, error);
  }
  if (/^ERR_SSL_.*ALERT/.test(code)) {
    return unavailable("TLS-alert-received", `it refused the TLS connection (${code})`, error);
  }
  if (/^(?:ERR_SSL_|ERR_TLS_|EPROTO)/.test(code)) {
    return unavailable("TLS-protocol-error", `there is no TLS connection (${code})`, error);
  }
  return unavailable("destination-unavailable", `there is no connection (${code || messageOf(error)})`, error);
}

/** What an error after the connection was there means; `hasHead`: the response had begun. */
export function exchangeFailure(error: unknown, hasHead: boolean): HttpFailure {
  const code = codeOf(error);
  if (error instanceof errors.HTTPParserError) {
    return unavailable("HTTP-protocol-error", `what it answers is not HTTP (${error.message})`, error);
  }
  switch (code) {
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
      return hasHead
        ? unavailable("HTTP-response-incomplete", "the body of its response is not as long as announced", error)
        : unavailable("HTTP-protocol-error", "the head of its response contradicts itself about the length", error);
    case "UND_ERR_HEADERS_OVERFLOW":
      return hasHead
        ? limit("HTTP-response-trailer-section-size", "the trailers of its response are too large", error)
        : limit("HTTP-response-header-section-size", "the headers of its response are too large", error);
    case "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH":
      return {
        reason: Reason.ARGUMENT_INVALID,
        code: "HTTP-request-body-size",
        problem: "the request's body is not as long as its content-length says",
        cause: error,
      };
    default:
      return hasHead
        ? unavailable("HTTP-response-incomplete", `its response broke off (${code || messageOf(error)})`, error)
        : unavailable(
            "connection-terminated",
            `it closed the connection before it answered (${code || messageOf(error)})`,
            error,
          );
  }
}

function isOutgoingHttpError(value: unknown): value is OutgoingHttpError {
  if (typeof value !== "object" || value === null || !("code" in value) || !("message" in value)) return false;
  return typeof value.code === "string" && typeof value.message === "string";
}

const AUTHORITY_SHOWN_CHARACTERS = 128;

const CONNECT_CODES: Readonly<Record<string, readonly [code: string, problem: string] | undefined>> = {
  ECONNREFUSED: ["connection-refused", "connection refused"],
  ETIMEDOUT: ["connection-timeout", "it does not answer (ETIMEDOUT)"],
  ENETUNREACH: ["destination-IP-unroutable", "there is no way to its address (ENETUNREACH)"],
  EHOSTUNREACH: ["destination-IP-unroutable", "there is no way to its address (EHOSTUNREACH)"],
  EADDRNOTAVAIL: ["destination-IP-unroutable", "there is no way to its address (EADDRNOTAVAIL)"],
  EMFILE: ["connection-limit-reached", "this node has too many open files (EMFILE)"],
  ENFILE: ["connection-limit-reached", "this node has too many open files (ENFILE)"],
  ECONNRESET: ["connection-terminated", "it closed the connection at once (ECONNRESET)"],
};

/** OpenSSL's verification errors, as Node names them. */
const CERTIFICATE_CODES =
  /CERT|^(?:UNABLE_TO_|ERROR_IN_|INVALID_CA|PATH_LENGTH|INVALID_PURPOSE|HOSTNAME_MISMATCH|CRL_)/;

function unavailable(code: string, problem: string, cause: unknown): HttpFailure {
  return { reason: Reason.PROVIDER_UNAVAILABLE, code, problem, cause };
}

function limit(code: string, problem: string, cause: unknown): HttpFailure {
  return { reason: Reason.PROVIDER_LIMIT, code, problem, cause };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
