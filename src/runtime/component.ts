/** What a component says of itself: the names that it imports and exports, and the core modules inside. */
import { fault, Reason } from "../fault.ts";
import { coreModuleFromBytes, outsideBytes } from "./core-module.ts";
import { malformed, sectionsFromBytes, WasmReader, type WasmSection } from "./wasm-reader.ts";

/** The outside of a component. */
export type Component = { readonly imports: readonly string[]; readonly exports: readonly string[] };

const SECTION = {
  coreModule: 1,
  coreInstance: 2,
  component: 4,
  instance: 5,
  alias: 6,
  import: 10,
  export: 11,
} as const;
const SORT_CORE = 0x00;
const NESTED_DEPTH_MAX = 16;

/** What is read of a component on the agent's thread, all its modules together; a JavaScript engine has 40 kB. */
const OUTSIDE_MAX_BYTES = 8 * 1024 * 1024;

/** Sections at all depths together; a large component has some thousands. */
const NESTED_SECTIONS_MAX = 100_000;

/** What a core module counts for; its custom sections are passed over. */
const SECTIONS_OF_MODULE = 10;

const READ_SECTIONS: ReadonlySet<number> = new Set([
  SECTION.coreInstance,
  SECTION.instance,
  SECTION.alias,
  SECTION.import,
  SECTION.export,
]);

/** How far the reading of a component has come. */
type Reading = { depth: number; leftBytes: number; leftSections: number };

/**
 * What may be a name inside a component. The format allows core modules any text, and jco 0.15 writes names into its
 * JavaScript as they are: one with a quote would become code that runs with all the rights of the agent. The test
 * "a component cannot smuggle code into the glue" holds this.
 */
const SAFE_NAME = /^[A-Za-z0-9 !#$%&()*+,\-./:;<=>?@[\]^_{|}~]*$/;

/** Reads the outside of a component; throws `MODULE_MALFORMED`, also for names that no compiler makes. */
export function componentFromBytes(bytes: Uint8Array): Component {
  const sections = sectionsFromBytes(bytes);
  assertNestedNames(bytes, sections, { depth: 0, leftBytes: OUTSIDE_MAX_BYTES, leftSections: NESTED_SECTIONS_MAX });
  const names = (id: number, readName: (reader: WasmReader) => string): string[] =>
    sections
      .filter((section) => section.id === id)
      .flatMap((section) => {
        const reader = new WasmReader(bytes, section.bodyStart, section.end);
        return reader.vector(() => readName(reader));
      });
  return { imports: names(SECTION.import, readImport), exports: names(SECTION.export, readExport) };
}

function readImport(reader: WasmReader): string {
  const name = readExternName(reader);
  skipExternDescription(reader);
  return name;
}

function readExport(reader: WasmReader): string {
  const name = readExternName(reader);
  if (reader.byte() === SORT_CORE) reader.byte();
  reader.u32();
  const hasType = reader.byte();
  if (hasType === 1) skipExternDescription(reader);
  return name;
}

/** 0x00: a plain name. 0x01: the same with an interface version, as older tools wrote it. */
function readExternName(reader: WasmReader): string {
  const form = reader.byte();
  if (form > 1) throw malformed(`form ${form} of a name is unknown (before byte ${reader.offset})`);
  return reader.name();
}

function skipExternDescription(reader: WasmReader): void {
  const sort = reader.byte();
  switch (sort) {
    case 0x00:
      reader.byte();
      reader.u32();
      return;
    case 0x01:
    case 0x04:
    case 0x05:
      reader.u32();
      return;
    case 0x02:
      if (reader.byte() === 0x00) reader.u32();
      else reader.skipLeb();
      return;
    case 0x03:
      if (reader.byte() === 0x00) reader.u32();
      return;
    default:
      throw malformed(`sort ${sort} of an import or export is unknown (before byte ${reader.offset})`);
  }
}

function assertNestedNames(bytes: Uint8Array, sections: readonly WasmSection[], reading: Reading): void {
  if (reading.depth > NESTED_DEPTH_MAX) throw malformed(`components are nested more than ${NESTED_DEPTH_MAX} deep`);
  reading.leftSections -= sections.length;
  if (reading.leftSections < 0) throw malformed(`inside it are more than ${NESTED_SECTIONS_MAX} sections`);
  for (const section of sections) {
    const body = bytes.subarray(section.bodyStart, section.end);
    const reader = new WasmReader(bytes, section.bodyStart, section.end);
    if (section.id === SECTION.coreModule) {
      reading.leftSections -= SECTIONS_OF_MODULE;
      charge(reading, outsideBytes(body));
      const { imports, exports } = coreModuleFromBytes(body);
      for (const { module, name } of imports) assertSafeNames(module, name);
      for (const { name } of exports) assertSafeNames(name);
    }
    if (section.id === SECTION.component) {
      reading.depth += 1;
      assertNestedNames(body, sectionsFromBytes(body), reading);
      reading.depth -= 1;
    }
    if (READ_SECTIONS.has(section.id)) charge(reading, body.length);
    if (section.id === SECTION.coreInstance) reader.vector(() => readCoreInstance(reader));
    if (section.id === SECTION.instance) reader.vector(() => readInstance(reader));
    if (section.id === SECTION.import) reader.vector(() => assertSafeNames(readImport(reader)));
    if (section.id === SECTION.export) reader.vector(() => assertSafeNames(readExport(reader)));
    if (section.id === SECTION.alias) reader.vector(() => readAlias(reader));
  }
}

function charge(reading: Reading, bytes: number): void {
  reading.leftBytes -= bytes;
  if (reading.leftBytes < 0)
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot host module: its names take more than ${OUTSIDE_MAX_BYTES} bytes`,
    );
}

function readCoreInstance(reader: WasmReader): void {
  const isInstantiation = reader.byte() === 0x00;
  if (isInstantiation) reader.u32();
  reader.vector(() => {
    assertSafeNames(reader.name());
    reader.byte();
    reader.u32();
  });
}

function readInstance(reader: WasmReader): void {
  const isInstantiation = reader.byte() === 0x00;
  if (isInstantiation) reader.u32();
  reader.vector(() => {
    assertSafeNames(isInstantiation ? reader.name() : readExternName(reader));
    if (reader.byte() === SORT_CORE) reader.byte();
    reader.u32();
  });
}

function readAlias(reader: WasmReader): void {
  if (reader.byte() === SORT_CORE) reader.byte();
  const target = reader.byte();
  reader.u32();
  if (target === 0x02) reader.u32();
  else assertSafeNames(reader.name());
}

function assertSafeNames(...names: readonly string[]): void {
  const unsafe = names.find((name) => !SAFE_NAME.test(name));
  if (unsafe === undefined) return;
  throw fault(
    Reason.MODULE_MALFORMED,
    `Cannot read module: inside it something has the name ${JSON.stringify(unsafe.slice(0, 60))}, with characters that are not taken here`,
  );
}
