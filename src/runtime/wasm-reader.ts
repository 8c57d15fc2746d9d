/** Reading the WebAssembly binary format, as far as section headers, names and types go. */
import { fault, Reason } from "../fault.ts";

/** One section as a view on the module's bytes; nothing is copied. */
export type WasmSection = {
  readonly id: number;
  /** Offset of the section's id byte in the module. */
  readonly start: number;
  /** Offset of the first byte of its contents. */
  readonly bodyStart: number;
  /** Offset after its last byte. */
  readonly end: number;
};

/** What the first eight bytes say. */
export type WasmLayer = "module" | "component";

const MAGIC = [0x00, 0x61, 0x73, 0x6d] as const;
const HEADER_BYTES = 8;
const CUSTOM_SECTION = 0;
const NAME_MAX_BYTES = 100_000;

/** Sections of one module or component. Compilers make dozens, and hundreds for large components. */
const SECTIONS_MAX = 10_000;

/** Entries of one section, as engines limit them. */
const ENTRIES_MAX = 1_000_000;

/** Tells a core module from a component; throws `MODULE_NOT_WASM` or `MODULE_MALFORMED`. */
export function layerFromHeader(bytes: Uint8Array): WasmLayer {
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) {
    const given =
      bytes.length === 0 ? "it is empty" : `it begins with ${hex(bytes.subarray(0, 4))} instead of 00 61 73 6d`;
    throw fault(Reason.MODULE_NOT_WASM, `Cannot read module: it is not WebAssembly, ${given}`);
  }
  if (bytes.length < HEADER_BYTES) throw malformed(`it ends inside its header, after ${bytes.length} bytes`);
  const version = hex(bytes.subarray(4, HEADER_BYTES));
  if (version === "01 00 00 00") return "module";
  if (version === "0d 00 01 00") return "component";
  throw malformed(`its version ${version} is neither that of a core module nor that of a component`);
}

/** Lists the sections that follow the header; throws `MODULE_MALFORMED` if one of them does not end inside the module. */
export function sectionsFromBytes(bytes: Uint8Array): readonly WasmSection[] {
  const reader = new WasmReader(bytes, HEADER_BYTES, bytes.length);
  const sections: WasmSection[] = [];
  while (!reader.isAtEnd) {
    const start = reader.offset;
    const id = reader.byte();
    const size = reader.u32();
    const bodyStart = reader.offset;
    reader.skip(size);
    sections.push({ id, start, bodyStart, end: reader.offset });
    if (sections.length > SECTIONS_MAX) throw malformed(`it has more than ${SECTIONS_MAX} sections`);
  }
  return sections;
}

/** The same of a core module, where each section but custom ones may be there once; what is read of it is bounded by that. */
export function coreSectionsFromBytes(bytes: Uint8Array): readonly WasmSection[] {
  const seen = new Set<number>();
  const sections = sectionsFromBytes(bytes);
  for (const { id } of sections) {
    if (id !== CUSTOM_SECTION && seen.has(id)) throw malformed(`it has section ${id} twice`);
    seen.add(id);
  }
  return sections;
}

/** A position in the bytes of one section. Every method throws `MODULE_MALFORMED` instead of reading past the end. */
export class WasmReader {
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.offset = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.offset >= this.#end;
  }

  byte(): number {
    const byte = this.offset < this.#end ? this.#bytes[this.offset] : undefined;
    if (byte === undefined) throw malformed(`it is cut off at byte ${this.offset}`);
    this.offset += 1;
    return byte;
  }

  /** The next byte, without moving. */
  peek(): number {
    const byte = this.byte();
    this.offset -= 1;
    return byte;
  }

  /** The bytes from `start` up to here. */
  bytesSince(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.offset);
  }

  skip(count: number): void {
    if (count > this.#end - this.offset) {
      throw malformed(
        `it is cut off: ${count} bytes are announced at byte ${this.offset}, ${this.#end - this.offset} are there`,
      );
    }
    this.offset += count;
  }

  /** An unsigned LEB128 number of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > 0xffffffff) throw malformed(`the number before byte ${this.offset} has more than 32 bits`);
        return value;
      }
    }
    throw malformed(`the number before byte ${this.offset} is too long`);
  }

  /** An unsigned LEB128 number of at most 64 bits. */
  u64(): bigint {
    const value = this.#unsigned(10);
    if (value >= 1n << 64n) throw malformed(`the number before byte ${this.offset} has more than 64 bits`);
    return value;
  }

  /** Passes over a LEB128 number of any sign. */
  skipLeb(): void {
    this.#unsigned(10);
  }

  /** A UTF-8 name with its length in front. */
  name(): string {
    const length = this.u32();
    if (length > NAME_MAX_BYTES)
      throw malformed(`the name at byte ${this.offset} has ${length} bytes (at most ${NAME_MAX_BYTES} are read)`);
    const start = this.offset;
    this.skip(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        this.#bytes.subarray(start, this.offset),
      );
    } catch (cause) {
      throw malformed(`the name at byte ${start} is not UTF-8`, cause);
    }
  }

  /** Reads `count` items, where `count` comes first. */
  vector<Item>(readItem: () => Item): Item[] {
    const count = this.u32();
    if (count > ENTRIES_MAX)
      throw malformed(`${count} entries are announced at byte ${this.offset} (at most ${ENTRIES_MAX})`);
    if (count > this.#end - this.offset)
      throw malformed(`${count} entries are announced at byte ${this.offset}, more than there are bytes`);
    return Array.from({ length: count }, readItem);
  }

  #unsigned(bytesMax: number): bigint {
    let value = 0n;
    for (let index = 0; index < bytesMax; index++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return value;
    }
    throw malformed(`the number before byte ${this.offset} is too long`);
  }
}

/** An unsigned LEB128 number as bytes. */
export function lebFromUnsigned(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return bytes;
}

/** The fault for bytes that break the format's rules; `detail` begins with "it" or names the part. */
export function malformed(detail: string, cause?: unknown): Error {
  return fault(Reason.MODULE_MALFORMED, `Cannot read module: ${detail}`, { cause });
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
