/** How values of one type cross the border between a guest's memory and JavaScript. */
import type { CoreType } from "./component-plan.ts";
import type { Crossing } from "./crossing.ts";

/** A core WebAssembly value. */
export type CoreValue = number | bigint;

/**
 * One type's four ways: out of memory and in, out of core values and in. Made once for each type of a plan and shared by
 * all instances in a thread; whatever belongs to an instance comes with the `Crossing`. `load` and `store` are given
 * places that lie inside the memory, aligned. What a guest passes wrongly throws a `Trap`, what a host passes wrongly a `TypeError`.
 */
export type Codec = {
  readonly sizeBytes: number;
  readonly alignBytes: number;
  /** `undefined`: always passed in memory, `lift` and `lower` are never called. */
  readonly flat: readonly CoreType[] | undefined;
  /** About what a lifted value takes on the heap, without what lists and strings in it add. */
  readonly heapBytes: number;
  readonly load: (cx: Crossing, ptr: number) => unknown;
  readonly store: (cx: Crossing, ptr: number, value: unknown) => void;
  /** Reads from `flat[at]` on. */
  readonly lift: (cx: Crossing, flat: readonly CoreValue[], at: number) => unknown;
  /** Writes from `flat[at]` on, all that the type has. */
  readonly lower: (cx: Crossing, flat: CoreValue[], at: number, value: unknown) => void;
};

/** The error for a value that a host function or caller gives and that is none of the type. */
export function notOfType(type: string, value: unknown): TypeError {
  const given =
    value === null ? "null" : typeof value === "object" ? Object.prototype.toString.call(value) : typeof value;
  return new TypeError(`a value for ${type} is ${given}`);
}
