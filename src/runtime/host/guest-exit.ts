/** How host code leaves guest code for good: thrown through the guest, and told apart from a trap by whoever called it. */

/** Thrown through guest code when it calls `exit`. */
export class GuestExit extends Error {
  override readonly name = "GuestExit";
  /** 0 to 255, or what the guest gave. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}
