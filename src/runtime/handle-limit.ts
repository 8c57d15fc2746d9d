/** Thrown through guest code when it would hold more handles than `openHandlesMax`: files, streams, resources of any kind. */
export class HandleLimit extends Error {
  override readonly name = "HandleLimit";
  readonly openHandlesMax: number;

  constructor(openHandlesMax: number) {
    super(`it holds ${openHandlesMax} handles, and no more are allowed`);
    this.openHandlesMax = openHandlesMax;
  }
}
