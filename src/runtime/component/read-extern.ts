/** Reading names, sorts and the declared types of imports and exports. */
import { malformed, type WasmReader } from "../wasm-reader.ts";
import type { ExternName, ExternType, Sort, SortIndex } from "./component-ast.ts";

const CORE_SORTS: Readonly<Record<number, Sort>> = {
  0x00: "core-func",
  0x01: "core-table",
  0x02: "core-memory",
  0x03: "core-global",
  0x04: "core-tag",
  0x10: "core-type",
  0x11: "core-module",
  0x12: "core-instance",
};
const SORTS: Readonly<Record<number, Sort>> = {
  0x01: "func",
  0x02: "value",
  0x03: "type",
  0x04: "component",
  0x05: "instance",
};

/** Words of lower or upper case joined by hyphens; upper case as a whole word only. */
const LABEL = /^(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z0-9]+|[A-Z0-9]+))*$/;

/** Reads a sort of core definitions. */
export function readCoreSort(reader: WasmReader): Sort {
  const code = reader.byte();
  const sort = CORE_SORTS[code];
  if (sort === undefined) throw malformed(`core sort ${code} is unknown (before byte ${reader.offset})`);
  return sort;
}

/** Reads any sort. */
export function readSort(reader: WasmReader): Sort {
  const code = reader.byte();
  if (code === 0x00) return readCoreSort(reader);
  const sort = SORTS[code];
  if (sort === undefined) throw malformed(`sort ${code} is unknown (before byte ${reader.offset})`);
  return sort;
}

/** Reads a sort and an index. */
export function readSortIndex(reader: WasmReader): SortIndex {
  return { sort: readSort(reader), index: reader.u32() };
}

/** Reads the name of an import or export, in the forms 0x00 and 0x01 that mean the same, and 0x02 with attributes. */
export function readExternName(reader: WasmReader): ExternName {
  const form = reader.byte();
  if (form > 2) throw malformed(`form ${form} of a name is unknown (before byte ${reader.offset})`);
  const name = reader.name();
  if (form < 2) return { name };
  const attributes = reader.vector(() => {
    const kind = reader.byte();
    if (kind > 2) throw malformed(`attribute ${kind} of a name is unknown (before byte ${reader.offset})`);
    return { kind, text: reader.name() };
  });
  const implemented = attributes.find(({ kind }) => kind === 0);
  return implemented === undefined ? { name } : { name, implements: implemented.text };
}

/** Reads what an import or export is declared to be. */
export function readExternType(reader: WasmReader): ExternType {
  const sort = readSort(reader);
  switch (sort) {
    case "core-module":
    case "func":
    case "component":
    case "instance":
      return { sort, type: reader.u32() };
    case "type": {
      const bound = reader.byte();
      if (bound === 0x00) return { sort, equals: reader.u32() };
      if (bound === 0x01) return { sort };
      throw malformed(`bound ${bound} of a type is unknown (before byte ${reader.offset})`);
    }
    case "value":
      if (reader.byte() === 0x00) reader.u32();
      else reader.skipLeb();
      return { sort };
    default:
      throw malformed(`an import or export is a ${sort} (before byte ${reader.offset})`);
  }
}

/** Reads the name of a field, case, flag or parameter. */
export function readLabel(reader: WasmReader): string {
  const name = reader.name();
  if (!LABEL.test(name))
    throw malformed(
      `${JSON.stringify(name.slice(0, 60))} is no name for a part of a type (before byte ${reader.offset})`,
    );
  return name;
}

/** Throws `MODULE_MALFORMED` if two of the names are the same, whatever their case. */
export function assertDistinct(names: readonly string[], reader: WasmReader): void {
  if (new Set(names.map((name) => name.toLowerCase())).size !== names.length)
    throw malformed(`a type has two parts of the same name (before byte ${reader.offset})`);
}
