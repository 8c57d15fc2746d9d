/** What a core module says of itself: imports, exports and the types of its functions. */
import { fault, Reason } from "../fault.ts";
import { coreSectionsFromBytes, malformed, WasmReader, type WasmSection } from "./wasm-reader.ts";

/** A value type as it matters here: what JSON can carry, or not. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "reference";

/** Parameters and results of a function. */
export type FunctionType = { readonly parameters: readonly ValueType[]; readonly results: readonly ValueType[] };

/** What a module imports or exports. */
export type ExternKind = "function" | "table" | "memory" | "global" | "tag";

/** One import of a core module. */
export type CoreImport = { readonly module: string; readonly name: string; readonly kind: ExternKind };

/** One export of a core module. */
export type CoreExport = {
  readonly name: string;
  readonly kind: ExternKind;
  /** `undefined` for everything that is no function. */
  readonly type: FunctionType | undefined;
};

/** The outside of a core module. */
export type CoreModule = { readonly imports: readonly CoreImport[]; readonly exports: readonly CoreExport[] };

const SECTION = { type: 1, import: 2, function: 3, table: 4, memory: 5, export: 7, element: 9 } as const;

/**
 * How large a section may be that is read here, on the agent's thread: reading takes about 50 ms for a megabyte.
 * Compilers stay far below.
 */
const SECTION_MAX_BYTES: Readonly<Record<number, number>> = {
  [SECTION.type]: 1024 * 1024,
  [SECTION.import]: 1024 * 1024,
  [SECTION.function]: 4 * 1024 * 1024,
  [SECTION.table]: 64 * 1024,
  [SECTION.memory]: 1024,
  [SECTION.export]: 1024 * 1024,
  // Not read here: every entry takes at least a byte, and becomes eight on the heap of the guest's thread.
  [SECTION.element]: 1024 * 1024,
};

const EXTERN_KINDS: readonly ExternKind[] = ["function", "table", "memory", "global", "tag"];
const VALUE_TYPES: Readonly<Record<number, ValueType>> = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
  0x7b: "v128",
};

/**
 * Reads the outside of a core module; throws `MODULE_MALFORMED`, and `MODULE_KIND_UNSUPPORTED` for types that cannot
 * be bounded. Bodies are not looked at: the engine validates them.
 */
export function coreModuleFromBytes(bytes: Uint8Array): CoreModule {
  const { imports, exports } = readOutside(bytes);
  return { imports, exports };
}

function readOutside(
  bytes: Uint8Array,
): CoreModule & { readonly types: readonly FunctionType[]; readonly functionTypes: readonly number[] } {
  const types: FunctionType[] = [];
  const functionTypes: number[] = [];
  const imports: CoreImport[] = [];
  const exports: CoreExport[] = [];
  for (const section of coreSectionsFromBytes(bytes)) {
    assertReadable(section);
    const reader = new WasmReader(bytes, section.bodyStart, section.end);
    if (section.id === SECTION.type)
      for (const group of reader.vector(() => readRecursionGroup(reader))) for (const type of group) types.push(type);
    if (section.id === SECTION.import)
      for (const item of reader.vector(() => readImport(reader, functionTypes))) imports.push(item);
    if (section.id === SECTION.function)
      for (const index of reader.vector(() => reader.u32())) functionTypes.push(index);
    if (section.id === SECTION.export)
      for (const item of reader.vector(() => readExport(reader, functionTypes, types))) exports.push(item);
  }
  return { imports, exports, types, functionTypes };
}

/** What the code of a module refers to: its types, and the type of each function, imported ones first. Throws as `coreModuleFromBytes` does. */
export function codeTypesFromBytes(bytes: Uint8Array): {
  readonly types: readonly FunctionType[];
  readonly functionTypes: readonly number[];
  readonly importedCount: number;
} {
  const { types, functionTypes, imports } = readOutside(bytes);
  return { types, functionTypes, importedCount: imports.filter(({ kind }) => kind === "function").length };
}

/** How much of what all modules of a process share the engine takes for a module. */
export type EngineShare = { readonly typeSection: Uint8Array; readonly functionCount: number };

/** What a module takes of it; only counts are read. Throws `MODULE_MALFORMED`. */
export function engineShareFromBytes(bytes: Uint8Array): EngineShare {
  let typeSection = new Uint8Array();
  let functionCount = 0;
  for (const { id, bodyStart, end } of coreSectionsFromBytes(bytes)) {
    if (id === SECTION.type) typeSection = new Uint8Array(bytes.subarray(bodyStart, end));
    if (id === SECTION.import || id === SECTION.function) functionCount += new WasmReader(bytes, bodyStart, end).u32();
  }
  return { typeSection, functionCount };
}

/** How many types a type section holds, those inside its groups included. */
export function typeCount(typeSection: Uint8Array): number {
  const reader = new WasmReader(typeSection, 0, typeSection.length);
  return reader.vector(() => readRecursionGroup(reader).length).reduce((sum, count) => sum + count, 0);
}

/** How many bytes `coreModuleFromBytes` reads of a module; what it skips costs nothing. */
export function outsideBytes(bytes: Uint8Array): number {
  const read = coreSectionsFromBytes(bytes).filter(({ id }) => SECTION_MAX_BYTES[id] !== undefined);
  return read.reduce((sum, { bodyStart, end }) => sum + end - bodyStart, 0);
}

/** Reads a limits field and returns its parts; shared by tables and memories. */
export function readLimits(reader: WasmReader): { flags: number; minimum: bigint; maximum: bigint | undefined } {
  const flags = reader.byte();
  const minimum = reader.u64();
  const maximum = (flags & 1) === 1 ? reader.u64() : undefined;
  return { flags, minimum, maximum };
}

/** Passes over a value type and says which it is. */
export function readValueType(reader: WasmReader): ValueType {
  const code = reader.byte();
  if (code === 0x63 || code === 0x64) reader.skipLeb();
  return VALUE_TYPES[code] ?? "reference";
}

function assertReadable({ id, bodyStart, end }: WasmSection): void {
  const max = SECTION_MAX_BYTES[id];
  if (max === undefined || end - bodyStart <= max) return;
  throw fault(
    Reason.MODULE_KIND_UNSUPPORTED,
    `Cannot host module: section ${id} has ${end - bodyStart} bytes (at most ${max} are read)`,
  );
}

function readImport(reader: WasmReader, functionTypes: number[]): CoreImport {
  const module = reader.name();
  const name = reader.name();
  const kind = readExternKind(reader);
  if (kind === "function") functionTypes.push(reader.u32());
  if (kind === "table") readValueType(reader);
  if (kind === "table" || kind === "memory") readLimits(reader);
  if (kind === "global") {
    readValueType(reader);
    reader.byte();
  }
  if (kind === "tag") {
    reader.byte();
    reader.u32();
  }
  return { module, name, kind };
}

function readExport(reader: WasmReader, functionTypes: readonly number[], types: readonly FunctionType[]): CoreExport {
  const name = reader.name();
  const kind = readExternKind(reader);
  const index = reader.u32();
  const type = kind === "function" ? types[functionTypes[index] ?? -1] : undefined;
  if (kind === "function" && type === undefined)
    throw malformed(`export "${name}" names function ${index}, which has no type`);
  return { name, kind, type };
}

function readExternKind(reader: WasmReader): ExternKind {
  const code = reader.byte();
  const kind = EXTERN_KINDS[code];
  if (kind === undefined)
    throw malformed(`kind ${code} of an import or export is unknown (before byte ${reader.offset})`);
  return kind;
}

/** One entry of the type section: a single type, or (0x4e) a group of types that may name each other. */
function readRecursionGroup(reader: WasmReader): FunctionType[] {
  if (reader.peek() !== 0x4e) return [readSubtype(reader)];
  reader.byte();
  return reader.vector(() => readSubtype(reader));
}

function readSubtype(reader: WasmReader): FunctionType {
  if (reader.peek() === 0x50 || reader.peek() === 0x4f) {
    reader.byte();
    reader.vector(() => reader.u32());
  }
  const form = reader.byte();
  switch (form) {
    case 0x60: {
      const parameters = reader.vector(() => readValueType(reader));
      return { parameters, results: reader.vector(() => readValueType(reader)) };
    }
    case 0x5f:
    case 0x5e:
      // Structs and arrays live on the JavaScript heap. One large array there ends the whole process, not its thread.
      throw fault(
        Reason.MODULE_KIND_UNSUPPORTED,
        "Cannot host module: it uses garbage-collected structs or arrays, whose memory has no limit here",
      );
    default:
      throw malformed(`form 0x${form.toString(16)} of a type is unknown (before byte ${reader.offset})`);
  }
}
