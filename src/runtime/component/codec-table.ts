/** The codecs of a plan, made once for each thread and shared by all copies of the component there. */
import { enumCodec, optionCodec, variantCodec } from "./cases-codec.ts";
import type { Codec } from "./codec.ts";
import type { ComponentPlan, TypeIndex, WitType } from "./component-plan.ts";
import { type FunctionCodec, functionCodec } from "./function-codec.ts";
import { handleCodec } from "./handle-codec.ts";
import { fixedListCodec, listCodec } from "./list-codec.ts";
import { flagsCodec, recordCodec, tupleCodec } from "./record-codec.ts";
import { SCALAR_CODECS } from "./scalar-codec.ts";
import { STRING_CODEC } from "./string-codec.ts";
import { layoutFromType, sequence } from "./type-layout.ts";
import { partsOf } from "./type-table.ts";

/** Codecs by the plan's indices. */
export interface CodecTable {
  /** Of `functionTypes[index]`. */
  functionCodec(index: number): FunctionCodec;
}

const tables = new WeakMap<ComponentPlan, CodecTable>();

/** The codecs of `plan`. */
export function codecTable(plan: ComponentPlan): CodecTable {
  const before = tables.get(plan);
  if (before !== undefined) return before;
  const table = createCodecTable(plan);
  tables.set(plan, table);
  return table;
}

function createCodecTable(plan: ComponentPlan): CodecTable {
  const codecs: (Codec | undefined)[] = [];
  const functions: (FunctionCodec | undefined)[] = [];

  function typeAt(index: TypeIndex): WitType {
    const type = plan.types[index];
    if (type === undefined) throw new Error(`the plan has no type ${index}`);
    return type;
  }

  // Parts come before the types that have them, so this ends, and is no deeper than types are nested.
  function codecOf(index: TypeIndex): Codec {
    const before = codecs[index];
    if (before !== undefined) return before;
    const codec = codecFrom(typeAt(index));
    codecs[index] = codec;
    return codec;
  }

  function isKind(index: TypeIndex, kind: WitType["kind"]): boolean {
    return typeAt(index).kind === kind;
  }

  function codecFrom(type: WitType): Codec {
    switch (type.kind) {
      case "string":
        return STRING_CODEC;
      case "list": {
        const element = codecOf(type.element);
        const isBytes = isKind(type.element, "u8");
        return type.length === undefined
          ? listCodec(element, isBytes)
          : fixedListCodec(element, isBytes, type.length, layoutFromType(type, codecOf));
      }
      case "record": {
        const fields = type.fields.map((field) => codecOf(field.type));
        return recordCodec(
          type.fields.map((field) => field.name),
          fields,
          sequence(fields),
        );
      }
      case "tuple": {
        const items = type.items.map(codecOf);
        return tupleCodec(items, sequence(items));
      }
      case "variant":
        return variantCodec(
          type.cases.map((item) => item.name),
          type.cases.map((item) => (item.type === undefined ? undefined : codecOf(item.type))),
        );
      case "result":
        return variantCodec(
          ["ok", "err"],
          [type.ok, type.err].map((part) => (part === undefined ? undefined : codecOf(part))),
        );
      case "enum":
        return enumCodec(type.names);
      case "option":
        return optionCodec(codecOf(type.some), isKind(type.some, "option"));
      case "flags":
        return flagsCodec(type.names);
      case "own":
      case "borrow": {
        const resource = plan.resources[type.resource];
        if (resource === undefined) throw new Error(`the plan has no resource ${type.resource}`);
        return handleCodec(type.kind, type.resource, resource);
      }
      default:
        return SCALAR_CODECS[type.kind];
    }
  }

  const borrowing: (boolean | undefined)[] = [];
  function hasBorrow(index: TypeIndex): boolean {
    const type = typeAt(index);
    borrowing[index] ??= type.kind === "borrow" || partsOf(type).some(hasBorrow);
    return borrowing[index];
  }

  return {
    functionCodec(index) {
      const before = functions[index];
      if (before !== undefined) return before;
      const type = plan.functionTypes[index];
      if (type === undefined) throw new Error(`the plan has no function type ${index}`);
      const codec = functionCodec(type, codecOf, hasBorrow);
      functions[index] = codec;
      return codec;
    },
  };
}
