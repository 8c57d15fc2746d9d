/** From the bytes of a component to its definitions. Nothing is looked up here; `flatten-component.ts` does that. */
import { layerFromHeader, malformed, sectionsFromBytes, WasmReader, type WasmSection } from "../wasm-reader.ts";
import type { ComponentAst, Definition, NamedIndex } from "./component-ast.ts";
import { readAlias } from "./read-alias.ts";
import { createReadBudget, MODULES_MAX, type ReadBudget, unsupported } from "./read-budget.ts";
import { readCanon } from "./read-canon.ts";
import { readCoreSort, readExternName, readExternType, readSort, readSortIndex } from "./read-extern.ts";
import { readType } from "./read-type.ts";

/** A component and all core modules inside it, at any depth. */
export type ComponentBinary = {
  readonly component: ComponentAst;
  /** Views on the component's bytes. */
  readonly modules: readonly Uint8Array[];
};

const SECTION = {
  custom: 0,
  coreModule: 1,
  coreInstance: 2,
  coreType: 3,
  component: 4,
  instance: 5,
  alias: 6,
  type: 7,
  canon: 8,
  start: 9,
  import: 10,
  export: 11,
  value: 12,
} as const;

/** Reads a component. Throws `MODULE_NOT_WASM`, `MODULE_MALFORMED`, and `MODULE_KIND_UNSUPPORTED` for what is not hosted. */
export function componentBinaryFromBytes(bytes: Uint8Array): ComponentBinary {
  const modules: Uint8Array[] = [];
  return { component: readComponent({ bytes, modules, budget: createReadBudget() }), modules };
}

type Source = { readonly bytes: Uint8Array; readonly modules: Uint8Array[]; readonly budget: ReadBudget };

function readComponent(source: Source): ComponentAst {
  if (layerFromHeader(source.bytes) !== "component") throw malformed("it is a core module where a component must be");
  const definitions: Definition[] = [];
  for (const section of sectionsFromBytes(source.bytes)) {
    if (section.id === SECTION.custom) continue;
    source.budget.item();
    for (const definition of readSection(source, section)) definitions.push(definition);
  }
  return { definitions };
}

function readSection(source: Source, { id, bodyStart, end }: WasmSection): readonly Definition[] {
  const { bytes, modules, budget } = source;
  const body = bytes.subarray(bodyStart, end);
  if (id === SECTION.coreModule) {
    if (modules.push(body) > MODULES_MAX) throw malformed(`it has more than ${MODULES_MAX} core modules`);
    return [{ kind: "core-module", module: modules.length - 1 }];
  }
  if (id === SECTION.component) {
    const component = budget.nested(() => readComponent({ ...source, bytes: body }));
    return [{ kind: "component", component }];
  }
  budget.bytes(body.length);
  const reader = new WasmReader(bytes, bodyStart, end);
  // Core types are only ever referred to from types of modules, so their number is all that matters.
  if (id === SECTION.coreType) return counted(reader, budget);
  const readEntry = entryReader(id, reader, budget);
  const definitions = reader.vector(() => {
    budget.item();
    return readEntry();
  });
  if (!reader.isAtEnd) throw malformed(`section ${id} goes on after its last entry, at byte ${reader.offset}`);
  return definitions;
}

function counted(reader: WasmReader, budget: ReadBudget): Definition[] {
  return reader.vector(() => {
    budget.item();
    return { kind: "core-type" };
  });
}

function entryReader(id: number, reader: WasmReader, budget: ReadBudget): () => Definition {
  switch (id) {
    case SECTION.coreInstance:
      return () => readCoreInstance(reader, budget);
    case SECTION.instance:
      return () => readInstance(reader, budget);
    case SECTION.alias:
      return () => readAlias(reader);
    case SECTION.type:
      return () => ({ kind: "type", type: readType(reader, budget) });
    case SECTION.canon:
      return () => readCanon(reader);
    case SECTION.import:
      return () => ({ kind: "import", name: readExternName(reader), type: readExternType(reader) });
    case SECTION.export:
      return () => readExport(reader);
    case SECTION.start:
      throw unsupported("a component start function");
    case SECTION.value:
      throw unsupported("component values");
    default:
      throw malformed(`section ${id} is unknown (before byte ${reader.offset})`);
  }
}

function readCoreInstance(reader: WasmReader, budget: ReadBudget): Definition {
  const form = reader.byte();
  switch (form) {
    case 0x00: {
      const module = reader.u32();
      const args = reader.vector(() => {
        budget.item();
        const name = reader.name();
        if (readCoreSort(reader) !== "core-instance")
          throw malformed(`a core module is given what is no instance (before byte ${reader.offset})`);
        return { name, instance: reader.u32() };
      });
      return { kind: "core-instantiate", module, args };
    }
    case 0x01:
      return {
        kind: "core-bundle",
        exports: reader.vector((): NamedIndex => {
          budget.item();
          return { name: reader.name(), sort: readCoreSort(reader), index: reader.u32() };
        }),
      };
    default:
      throw malformed(`form ${form} of a core instance is unknown (before byte ${reader.offset})`);
  }
}

function readInstance(reader: WasmReader, budget: ReadBudget): Definition {
  const form = reader.byte();
  const named = (readName: () => string) => (): NamedIndex => {
    budget.item();
    return { name: readName(), sort: readSort(reader), index: reader.u32() };
  };
  switch (form) {
    case 0x00:
      return { kind: "instantiate", component: reader.u32(), args: reader.vector(named(() => reader.name())) };
    case 0x01:
      return { kind: "bundle", exports: reader.vector(named(() => readExternName(reader).name)) };
    default:
      throw malformed(`form ${form} of an instance is unknown (before byte ${reader.offset})`);
  }
}

/** The declared type of an export only narrows what is known of it, so it is passed over. */
function readExport(reader: WasmReader): Definition {
  const name = readExternName(reader);
  const what = readSortIndex(reader);
  const hasType = reader.byte();
  if (hasType > 1) throw malformed(`byte ${hasType} stands where 0 or 1 must (before byte ${reader.offset})`);
  if (hasType === 1) readExternType(reader);
  return { kind: "export", name, what };
}
