/** Rewrites the memories of a core module so that `memory.grow` answers -1 at the limit. */
import { fault, Reason } from "../fault.ts";
import { readLimits } from "./core-module.ts";
import { lebFromUnsigned, sectionsFromBytes, WasmReader } from "./wasm-reader.ts";

/** Bytes of one page of linear memory. */
export const PAGE_BYTES = 65_536;

const MEMORY_SECTION = 5;
const HAS_MAXIMUM = 1;

/** Pages that the memories which a module defines begin with, one entry for each; imported memories are another module's. */
export function initialMemoryPages(module: Uint8Array): readonly bigint[] {
  return sectionsFromBytes(module)
    .filter((section) => section.id === MEMORY_SECTION)
    .flatMap((section) => {
      const reader = new WasmReader(module, section.bodyStart, section.end);
      return reader.vector(() => readLimits(reader).minimum);
    });
}

/**
 * How many pages each memory may have so that all of them together stay within `pagesMax`: its initial pages and
 * an equal share of what is left. A guest with one memory, which is nearly every guest, gets all of it. Throws
 * `LIMIT_INVALID` if the initial pages alone exceed the limit.
 */
export function sharedMemoryPages(initialPages: readonly bigint[], pagesMax: number): readonly bigint[] {
  const initial = initialPages.reduce((sum, pages) => sum + pages, 0n);
  if (initial > BigInt(pagesMax)) {
    throw fault(
      Reason.LIMIT_INVALID,
      `Cannot start module: its memory begins with ${initial * BigInt(PAGE_BYTES)} bytes, memoryMaxBytes is ${pagesMax * PAGE_BYTES}`,
      { subject: "memoryMaxBytes" },
    );
  }
  const share = initialPages.length === 0 ? 0n : (BigInt(pagesMax) - initial) / BigInt(initialPages.length);
  return initialPages.map((pages) => pages + share);
}

/**
 * The same module with a maximum on every memory that it defines: the next of `definedPages`, unless its own is
 * smaller. Imported memories need nothing: another module of the guest defines them, and a smaller maximum than
 * the import asks for always links. Everything else is copied in slices.
 */
export function capMemories(module: Uint8Array, definedPages: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let copiedTo = 0;
  for (const section of sectionsFromBytes(module)) {
    if (section.id !== MEMORY_SECTION) continue;
    const body = cappedMemorySection(new WasmReader(module, section.bodyStart, section.end), definedPages);
    parts.push(module.subarray(copiedTo, section.start), Uint8Array.from([section.id, ...lebFromUnsigned(BigInt(body.length))]), body);
    copiedTo = section.end;
  }
  parts.push(module.subarray(copiedTo));
  return concatenated(parts);
}

function cappedMemorySection(reader: WasmReader, definedPages: readonly bigint[]): Uint8Array {
  let index = 0;
  const memories = reader.vector(() => {
    const { flags, minimum, maximum } = readLimits(reader);
    const cap = definedPages[index++] ?? minimum;
    const capped = maximum !== undefined && maximum < cap ? maximum : cap;
    return [flags | HAS_MAXIMUM, ...lebFromUnsigned(minimum), ...lebFromUnsigned(capped)];
  });
  return Uint8Array.from([...lebFromUnsigned(BigInt(memories.length)), ...memories.flat()]);
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
