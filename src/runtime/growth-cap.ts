/** Rewrites the memories and tables of a core module so that growing them answers -1 at the limit. */
import { fault, Reason } from "../fault.ts";
import { readLimits, readValueType } from "./core-module.ts";
import { coreSectionsFromBytes, lebFromUnsigned, WasmReader } from "./wasm-reader.ts";

/** Bytes of one page of linear memory. */
export const PAGE_BYTES: number = 65_536;

/**
 * Entries that all tables of a guest may have together. Tables live on the thread's JavaScript heap, and one that
 * outgrows it ends the whole process instead of the thread (measured on Node 26), so their limit is well below.
 */
export const TABLE_ENTRIES_MAX: bigint = 262_144n;

/**
 * Memories that a guest may have. Each reserves some 8 GB of addresses however small it is, and the process has room
 * for about 16,000. Compilers make one.
 */
export const MEMORIES_MAX: number = 8;

/** What the memories and tables that a module defines begin with, one number for each. */
export type InitialSizes = { readonly memoryPages: readonly bigint[]; readonly tableEntries: readonly bigint[] };

/** What each of them may grow to, in the same order. */
export type GrowthCaps = InitialSizes;

const SECTION = { table: 4, memory: 5 } as const;
const HAS_MAXIMUM = 1;
const IS_SHARED = 2;
const TABLE_WITH_INITIAL_VALUE = 0x40;

/** Initial and greatest size of each memory that the module defines, in pages; `undefined` for one without maximum. */
export function memoryLimits(module: Uint8Array): { readonly minimum: bigint; readonly maximum: bigint | undefined }[] {
  return coreSectionsFromBytes(module)
    .filter(({ id }) => id === SECTION.memory)
    .flatMap(({ bodyStart, end }) => {
      const reader = new WasmReader(module, bodyStart, end);
      return reader.vector(() => readLimits(reader));
    });
}

/** Reads the initial sizes. Imported memories and tables are not counted: another module of the guest defines them. */
export function initialSizes(module: Uint8Array): InitialSizes {
  const sizes: { memoryPages: bigint[]; tableEntries: bigint[] } = { memoryPages: [], tableEntries: [] };
  for (const section of coreSectionsFromBytes(module)) {
    const reader = new WasmReader(module, section.bodyStart, section.end);
    if (section.id === SECTION.memory) sizes.memoryPages.push(...reader.vector(() => readLimits(reader).minimum));
    if (section.id === SECTION.table) sizes.tableEntries.push(...reader.vector(() => readTable(reader).minimum));
  }
  return sizes;
}

/** The same module, with a maximum on each memory and table: its cap, unless its own maximum is smaller. Everything else is copied in slices. */
export function capGrowth(module: Uint8Array, caps: GrowthCaps): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let copiedTo = 0;
  for (const section of coreSectionsFromBytes(module)) {
    if (section.id !== SECTION.memory && section.id !== SECTION.table) continue;
    const reader = new WasmReader(module, section.bodyStart, section.end);
    const body =
      section.id === SECTION.memory
        ? cappedSection(reader, caps.memoryPages, () => ({ type: [], ...readLimits(reader) }))
        : cappedSection(reader, caps.tableEntries, () => readTable(reader));
    parts.push(
      module.subarray(copiedTo, section.start),
      Uint8Array.from([section.id, ...lebFromUnsigned(BigInt(body.length))]),
      body,
    );
    copiedTo = section.end;
  }
  parts.push(module.subarray(copiedTo));
  return concatenated(parts);
}

/**
 * What each of a guest's memories may grow to so that all of them together stay within `pagesMax`: its initial pages
 * and an equal share of what is left. Nearly every guest has one memory, which gets all. Throws `LIMIT_INVALID`.
 */
export function sharedMemoryPages(initialPages: readonly bigint[], pagesMax: number): bigint[] {
  assertMemoryCount(initialPages.length);
  return sharedOut(initialPages, BigInt(pagesMax), (initial) =>
    fault(
      Reason.LIMIT_INVALID,
      `Cannot start module: its memory begins with ${initial * BigInt(PAGE_BYTES)} bytes, memoryMaxBytes allows ${pagesMax * PAGE_BYTES}`,
      { subject: "memoryMaxBytes" },
    ),
  );
}

/** The same for tables, within `TABLE_ENTRIES_MAX`. Throws `MODULE_KIND_UNSUPPORTED`. */
export function sharedTableEntries(initialEntries: readonly bigint[]): bigint[] {
  return sharedOut(initialEntries, TABLE_ENTRIES_MAX, (initial) =>
    fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot host module: its tables begin with ${initial} entries (at most ${TABLE_ENTRIES_MAX})`,
    ),
  );
}

/**
 * Throws `MODULE_KIND_UNSUPPORTED` for a memory that threads could share: with one, a guest can put the thread that it is
 * on to sleep by an instruction (`memory.atomic.wait32`), which no neighbour would be let onto and no processor time counts.
 */
export function assertNoSharedMemory(module: Uint8Array): void {
  for (const { id, bodyStart, end } of coreSectionsFromBytes(module)) {
    if (id !== SECTION.memory) continue;
    const reader = new WasmReader(module, bodyStart, end);
    if (reader.vector(() => readLimits(reader).flags).every((flags) => (flags & IS_SHARED) === 0)) continue;
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      "Cannot host module: it has a memory that is shared between threads, which only WASIX programs may have",
    );
  }
}

/** Throws `MODULE_KIND_UNSUPPORTED` for more memories than a guest may have. */
export function assertMemoryCount(count: number): void {
  if (count <= MEMORIES_MAX) return;
  throw fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: it has ${count} memories (at most ${MEMORIES_MAX})`);
}

function sharedOut(initial: readonly bigint[], max: bigint, refusal: (initial: bigint) => Error): bigint[] {
  const sum = initial.reduce((total, size) => total + size, 0n);
  if (sum > max) throw refusal(sum);
  const share = initial.length === 0 ? 0n : (max - sum) / BigInt(initial.length);
  return initial.map((size) => size + share);
}

type LimitedEntry = {
  readonly type: readonly number[];
  readonly flags: number;
  readonly minimum: bigint;
  readonly maximum: bigint | undefined;
};

function readTable(reader: WasmReader): LimitedEntry {
  if (reader.peek() === TABLE_WITH_INITIAL_VALUE) {
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      "Cannot host module: it has a table with an initial value for its entries",
    );
  }
  const start = reader.offset;
  readValueType(reader);
  const type = [...reader.bytesSince(start)];
  return { type, ...readLimits(reader) };
}

function cappedSection(reader: WasmReader, caps: readonly bigint[], readEntry: () => LimitedEntry): Uint8Array {
  let index = 0;
  const entries = reader.vector(() => {
    const { type, flags, minimum, maximum } = readEntry();
    const cap = caps[index++] ?? minimum;
    const capped = maximum !== undefined && maximum < cap ? maximum : cap;
    return [...type, flags | HAS_MAXIMUM, ...lebFromUnsigned(minimum), ...lebFromUnsigned(capped)];
  });
  return Uint8Array.from([...lebFromUnsigned(BigInt(entries.length)), ...entries.flat()]);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
