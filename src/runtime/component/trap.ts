/** Why a guest cannot go on. */

/** The guest broke a rule of the canonical ABI: a pointer outside its memory, a handle it does not have, text that is none. */
export class Trap extends Error {
  override readonly name = "Trap";
}
