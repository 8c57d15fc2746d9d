/** Why a call of the core import ABI did not do what it was asked to. */

/** What calls answer instead of a length, a truth value or 0. */
export const ABI_ERROR = {
  /** The instance was not granted the permission, or it was denied or revoked. */
  denied: -1,
  /** An argument is not what the function takes. Nothing was done. */
  invalid: -2,
  /** There is no such key, variable or value. Nothing is wrong. */
  none: -3,
  /** Whatever carries the operation out failed. */
  failed: -4,
} as const;

/** Ends the call it is thrown in: the guest gets the code, and the sentence by `last_error`. */
export class AbiError extends Error {
  override readonly name = "AbiError";
  readonly code: number;

  constructor(kind: keyof typeof ABI_ERROR, message: string) {
    super(message);
    this.code = ABI_ERROR[kind];
  }
}
