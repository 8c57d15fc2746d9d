/** Resource `error` of `wasi:io`, and how streams fail. */
import type { ErrorCode } from "./http-error-code.ts";

/** What an interface can tell of an error by its own `*-error-code` function. */
export type IoErrorCodes = {
  readonly http?: ErrorCode;
  /** A case of `wasi:filesystem/types.error-code`. */
  readonly file?: string;
};

/** What to tell of a failure of a stream, by its message; for the interface that the stream belongs to. */
export type IoErrorCodesOf = (message: string) => IoErrorCodes;

/** Why a stream failed. */
export class IoError {
  readonly message: string;
  readonly codes: IoErrorCodes;

  constructor(message: string, codes: IoErrorCodes = {}) {
    this.message = message;
    this.codes = codes;
  }
}

/** Variant `stream-error`. */
export type StreamError =
  | { readonly tag: "last-operation-failed"; readonly val: IoError }
  | { readonly tag: "closed"; readonly val: undefined };

/** The stream has come to its end, or its failure has been told. */
export const CLOSED: { readonly tag: "err"; readonly val: StreamError } = {
  tag: "err",
  val: { tag: "closed", val: undefined },
};
