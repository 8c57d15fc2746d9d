/** Why a guest cannot go on. */

/** The guest broke a rule of the canonical ABI: a pointer outside its memory, a handle it does not have, text that is none. */
export class Trap extends Error {
  override readonly name = "Trap";
}

/** The guest would hold more handles than `openHandlesMax`. */
export class HandleLimit extends Error {
  override readonly name = "HandleLimit";
  readonly openHandlesMax: number;

  constructor(openHandlesMax: number) {
    super(`it holds ${openHandlesMax} handles of resources, and no more are allowed`);
    this.openHandlesMax = openHandlesMax;
  }
}
