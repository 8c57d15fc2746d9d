/** Makes `result<T, E>` values. */
import type { WitResult } from "../component/component-value.ts";

/** `ok` of a result that has nothing to say: `result<_, E>`. */
export const DONE: { readonly tag: "ok"; readonly val: undefined } = { tag: "ok", val: undefined };

/** `err` of a result that has nothing to say: `result<T>`. */
export const REFUSED: { readonly tag: "err"; readonly val: undefined } = { tag: "err", val: undefined };

/** `ok(val)`. */
export function ok<T>(val: T): { readonly tag: "ok"; readonly val: T } {
  return { tag: "ok", val };
}

/** `err(val)`. */
export function err<E>(val: E): { readonly tag: "err"; readonly val: E } {
  return { tag: "err", val };
}

/** Goes on with an outcome that may not be there yet; what is there at once stays without a promise, which is the fast path. */
export function whenThere<T, U>(value: T | Promise<T>, use: (value: T) => U): U | Promise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

export type { WitResult };
