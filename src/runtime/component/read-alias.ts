/** Reading aliases, which stand in components and in types. */
import { malformed, type WasmReader } from "../wasm-reader.ts";
import type { Definition } from "./component-ast.ts";
import { readSort } from "./read-extern.ts";

/** An alias of any form. */
export type Alias = Extract<Definition, { kind: "alias-export" | "alias-core-export" | "alias-outer" }>;

/** Reads one alias. */
export function readAlias(reader: WasmReader): Alias {
  const sort = readSort(reader);
  const target = reader.byte();
  switch (target) {
    case 0x00:
      return { kind: "alias-export", sort, instance: reader.u32(), name: reader.name() };
    case 0x01:
      return { kind: "alias-core-export", sort, instance: reader.u32(), name: reader.name() };
    case 0x02:
      return { kind: "alias-outer", sort, count: reader.u32(), index: reader.u32() };
    default:
      throw malformed(`target ${target} of an alias is unknown (before byte ${reader.offset})`);
  }
}
