/**
 * A mistake on the command line. It is not a `Fault`, because the error vocabulary brings the generated code along, which
 * takes five times as long to load as all that `wasmatrix version` needs.
 */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** How to do it right, as one sentence or a command; empty if the message says so already. */
  readonly hint: string;

  constructor(message: string, hint = "") {
    super(message);
    this.hint = hint;
  }
}
