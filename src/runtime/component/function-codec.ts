/** How the parameters and the result of a function cross. */
import type { Codec, CoreValue } from "./codec.ts";
import type { WitFunction } from "./component-plan.ts";
import type { Crossing } from "./crossing.ts";
import { integer } from "./scalar-codec.ts";
import { sequence } from "./type-layout.ts";
import { Trap } from "./trap.ts";

/** Made once for each function type of a plan. */
export interface FunctionCodec {
  /** Whether it takes borrowed handles, which must be gone when it returns. */
  readonly hasBorrows: boolean;
  /** How many core values the parameters are. */
  readonly flatParams: number;
  /** Whether the result is passed in memory. */
  readonly hasSpilledResult: boolean;
  /** What a guest passes to a function that it imports. */
  liftParams(cx: Crossing, flat: readonly CoreValue[]): unknown[];
  /** What it gets back: a core value, or nothing where there is no result or it lies in memory. */
  lowerResult(cx: Crossing, flat: readonly CoreValue[], value: unknown): CoreValue | undefined;
  /** What a guest is passed when a function that it exports is called. Throws a `TypeError` for values that are not of the types. */
  lowerParams(cx: Crossing, values: readonly unknown[]): CoreValue[];
  /** What it returns. */
  liftResult(cx: Crossing, returned: unknown): unknown;
}

/** Makes the codec of a function from those of its types. */
export function functionCodec(
  type: WitFunction,
  codecOf: (index: number) => Codec,
  hasBorrow: (index: number) => boolean,
): FunctionCodec {
  const params = type.params.map((param) => codecOf(param.type));
  const placed = sequence(params);
  const isSpilled = placed.layout.flat === undefined;
  const count = params.length;
  const positions = flatPositions(params);
  const flatParams = isSpilled ? 1 : (placed.layout.flat?.length ?? 0);
  const { sizeBytes, alignBytes } = placed.layout;
  const heapBytes = params.reduce((sum, codec) => sum + codec.heapBytes, 0);
  const result = type.result === undefined ? undefined : codecOf(type.result);
  const hasSpilledResult = result !== undefined && result.flat?.length !== 1;

  return {
    hasBorrows: type.params.some((param) => hasBorrow(param.type)),
    flatParams,
    hasSpilledResult,
    liftParams(cx, flat) {
      const values: unknown[] = [];
      if (isSpilled) {
        const ptr = integer(flat[0]) >>> 0;
        cx.assertRange(ptr, alignBytes, sizeBytes);
        cx.component.charge(heapBytes);
        for (let index = 0; index < count; index++)
          values.push(params[index]?.load(cx, ptr + (placed.offsets[index] ?? 0)));
        return values;
      }
      for (let index = 0; index < count; index++) values.push(params[index]?.lift(cx, flat, positions[index] ?? 0));
      return values;
    },
    lowerResult(cx, flat, value) {
      if (result === undefined) return undefined;
      if (hasSpilledResult) {
        const ptr = integer(flat[flatParams]) >>> 0;
        cx.assertRange(ptr, result.alignBytes, result.sizeBytes);
        result.store(cx, ptr, value);
        return undefined;
      }
      const lowered: CoreValue[] = [0];
      result.lower(cx, lowered, 0, value);
      return lowered[0];
    },
    lowerParams(cx, values) {
      if (values.length !== count) throw new TypeError(`it takes ${count} arguments, ${values.length} are given`);
      if (isSpilled) {
        const ptr = cx.allocate(alignBytes, sizeBytes);
        for (let index = 0; index < count; index++)
          params[index]?.store(cx, ptr + (placed.offsets[index] ?? 0), values[index]);
        return [ptr];
      }
      const flat: CoreValue[] = [];
      for (let index = 0; index < count; index++) params[index]?.lower(cx, flat, positions[index] ?? 0, values[index]);
      return flat;
    },
    liftResult(cx, returned) {
      if (result === undefined) return undefined;
      const value = coreValue(returned);
      if (!hasSpilledResult) return result.lift(cx, [value], 0);
      const ptr = integer(value) >>> 0;
      cx.assertRange(ptr, result.alignBytes, result.sizeBytes);
      cx.component.charge(result.heapBytes);
      return result.load(cx, ptr);
    },
  };
}

function flatPositions(params: readonly Codec[]): readonly number[] {
  let position = 0;
  return params.map((codec) => {
    const start = position;
    position += codec.flat?.length ?? 0;
    return start;
  });
}

/** A core function gives one value, unless it is of another type than it was linked as. */
export function coreValue(returned: unknown): CoreValue {
  if (typeof returned === "number" || typeof returned === "bigint") return returned;
  throw new Trap("it returned nothing where a value is expected");
}
