/** The types of a plan, each once. */
import { malformed } from "../wasm-reader.ts";
import type { TypeIndex, WitFunction, WitType } from "./component-plan.ts";
import { layoutFromType, type TypeLayout } from "./type-layout.ts";

/** Bytes that one value may take in place, as the component model sets it. */
const VALUE_MAX_BYTES = 2 ** 28;

/** Types inside each other; also how deep the code that carries values recurses. */
const TYPE_DEPTH_MAX = 100;

/** What is known of a type beside its layout. */
type TypeFacts = TypeLayout & {
  readonly depth: number;
  readonly hasBorrow: boolean;
  /** Whether some of it lies in memory wherever it is passed: strings and lists. */
  readonly hasRange: boolean;
};

/** Collects types while components are flattened. */
export interface TypeTable {
  readonly types: readonly WitType[];
  readonly functionTypes: readonly WitFunction[];
  /** The index of a type that is the same in all its parts. Throws `MODULE_MALFORMED` for one that is too large or too deep. */
  intern(type: WitType): TypeIndex;
  /** The same for a function type; its result may not borrow. */
  internFunction(type: WitFunction): number;
  layout(index: TypeIndex): TypeLayout;
  hasRange(index: TypeIndex): boolean;
}

/** Makes an empty table. */
export function createTypeTable(): TypeTable {
  const types: WitType[] = [];
  const facts: TypeFacts[] = [];
  const functionTypes: WitFunction[] = [];
  const known = new Map<string, number>();

  function factsOf(index: TypeIndex): TypeFacts {
    const found = facts[index];
    if (found === undefined) throw malformed(`a type refers to type ${index}, which is not there`);
    return found;
  }

  function factsFrom(type: WitType): TypeFacts {
    const parts = partsOf(type).map(factsOf);
    const layout = layoutFromType(type, factsOf);
    const depth = parts.reduce((deepest, part) => Math.max(deepest, part.depth), 0) + 1;
    if (depth > TYPE_DEPTH_MAX) throw malformed(`a type has more than ${TYPE_DEPTH_MAX} types inside each other`);
    if (layout.sizeBytes >= VALUE_MAX_BYTES)
      throw malformed(`values of a type take ${layout.sizeBytes} bytes (less than ${VALUE_MAX_BYTES} are allowed)`);
    return {
      ...layout,
      depth,
      hasBorrow: type.kind === "borrow" || parts.some((part) => part.hasBorrow),
      hasRange:
        type.kind === "string" ||
        (type.kind === "list" && type.length === undefined) ||
        parts.some((part) => part.hasRange),
    };
  }

  return {
    types,
    functionTypes,
    intern(type) {
      const key = JSON.stringify(type);
      const before = known.get(key);
      if (before !== undefined) return before;
      facts.push(factsFrom(type));
      known.set(key, types.length);
      return types.push(type) - 1;
    },
    internFunction(type) {
      if (type.result !== undefined && factsOf(type.result).hasBorrow)
        throw malformed("a function returns a borrowed handle");
      for (const { type: param } of type.params) factsOf(param);
      const key = `func ${JSON.stringify(type)}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      known.set(key, functionTypes.length);
      return functionTypes.push(type) - 1;
    },
    layout: factsOf,
    hasRange: (index) => factsOf(index).hasRange,
  };
}

/** The types that `type` consists of. */
export function partsOf(type: WitType): readonly TypeIndex[] {
  switch (type.kind) {
    case "list":
      return [type.element];
    case "record":
      return type.fields.map((field) => field.type);
    case "tuple":
      return type.items;
    case "variant":
      return type.cases.flatMap((item) => (item.type === undefined ? [] : [item.type]));
    case "option":
      return [type.some];
    case "result":
      return [type.ok, type.err].filter((part) => part !== undefined);
    default:
      return [];
  }
}
