/**
 * What the engine's compilers need for a function. At every place where ways through it part or meet they note where
 * each local and each operand is, for as long as the function is compiled: 20 KB of code made of 50,000 locals and 4,000 blocks
 * took 4.7 GB and 15 seconds, in which the thread could not be ended. A process that finds no memory there ends.
 */
import { fault, Reason } from "../fault.ts";
import { arityOf, walkCode, type Arity, type CodeTypes } from "./code-walk.ts";
import { codeTypesFromBytes } from "./core-module.ts";
import { coreSectionsFromBytes, malformed, WasmReader } from "./wasm-reader.ts";

/**
 * Places times values (locals, parameters, operands) of one function. Each takes up to 24 bytes for the time of compiling. The
 * largest functions of large programs, such as interpreters, have some millions.
 */
export const NOTES_MAX = 30_000_000;

/** Code that is looked at in one turn of the event loop. */
const TURN_MAX_BYTES = 1024 * 1024;

const CODE_SECTION = 10;
const BRANCH_TABLE = 0x0e;

/** Parameters, and results, that a function may have in the engine. */
const VALUES_MAX = 1_000;

/** Bytes that can be the code of an instruction where ways part or meet. */
const EDGES = byteSet([0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0b, 0x0c, 0x0d, 0x0e, 0x18, 0x19, 0x1f, 0xd5, 0xd6]);

/** Throws `MODULE_KIND_UNSUPPORTED` for a function that would take too much to compile, and `MODULE_MALFORMED`. */
export async function assertCompilable(module: Uint8Array): Promise<void> {
  const section = coreSectionsFromBytes(module).find(({ id }) => id === CODE_SECTION);
  if (section === undefined) return;
  const code = new WasmReader(module, section.bodyStart, section.end);
  const count = code.u32();
  let types: ModuleTypes | undefined;
  let seenBytes = 0;
  for (let index = 0; index < count; index++) {
    const bytes = code.u32();
    const start = code.offset;
    code.skip(bytes);
    const body = new WasmReader(module, start, code.offset);
    const locals = readLocals(body);
    seenBytes += bytes;
    if (seenBytes > TURN_MAX_BYTES) {
      seenBytes = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (bytes * (locals + bytes + VALUES_MAX) <= NOTES_MAX / VALUES_MAX) continue;
    types ??= typesOf(module);
    const values = locals + types.ofBody(index).parameters;
    // Nearly all functions are found to be within without going through them.
    const edges = edgesAtMost(module, body.offset, code.offset);
    if (edges * (values + bytes * types.resultsMax) > NOTES_MAX) assertNotes(body, types, values, index);
  }
}

/** Targets of `br_table` are places as well, and any byte may be one. */
function edgesAtMost(module: Uint8Array, start: number, end: number): number {
  let edges = 0;
  for (let at = start; at < end; at++) {
    if (module[at] === BRANCH_TABLE) return end - start;
    edges += EDGES[module[at] ?? 0] ?? 0;
  }
  return edges;
}

function assertNotes(body: WasmReader, types: CodeTypes, values: number, index: number): void {
  let notes = 0;
  walkCode(body, types, (height) => {
    notes += values + height;
    if (notes <= NOTES_MAX) return;
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot host module: function ${index} has too many blocks for its ${values} locals and ${height} operands to be compiled`,
    );
  });
}

function readLocals(reader: WasmReader): number {
  let locals = 0;
  for (let left = reader.u32(); left > 0; left--) {
    locals += reader.u32();
    const type = reader.byte();
    if (type === 0x63 || type === 0x64) reader.skipLeb();
  }
  return locals;
}

type ModuleTypes = CodeTypes & {
  readonly ofBody: (index: number) => Arity;
  /** Results of one instruction at most. */
  readonly resultsMax: number;
};

function typesOf(module: Uint8Array): ModuleTypes {
  const { types, functionTypes, importedCount } = codeTypesFromBytes(module);
  const ofType = (index: number): Arity => {
    if (index >= types.length) throw malformed(`its code names type ${index}, which is not there`);
    return arityOf(types[index]);
  };
  const ofFunction = (index: number): Arity => ofType(functionTypes[index] ?? types.length);
  const resultsMax = types.reduce((most, { results }) => Math.max(most, results.length), 1);
  return { ofType, ofFunction, ofBody: (index) => ofFunction(importedCount + index), resultsMax };
}

function byteSet(codes: readonly number[]): Uint8Array {
  const set = new Uint8Array(256);
  for (const code of codes) set[code] = 1;
  return set;
}
