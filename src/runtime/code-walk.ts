/**
 * Goes through the instructions of one function, as far as its blocks and the height of its operand stack go. Bodies are
 * not checked: the engine does that. Heights are never too low for a valid body, and may be too high.
 */
import { fault, Reason } from "../fault.ts";
import type { FunctionType } from "./core-module.ts";
import type { WasmReader } from "./wasm-reader.ts";

/** What instructions refer to. Each gives how many values go and come. */
export type CodeTypes = {
  readonly ofType: (index: number) => Arity;
  readonly ofFunction: (index: number) => Arity;
};

/** How many values something takes and gives. */
export type Arity = { readonly parameters: number; readonly results: number };

/** A block that is open: the height outside of it, and what it leaves there. */
type Frame = { readonly outside: number; readonly entered: number; readonly left: number };

/** The arity of a type. */
export function arityOf(type: FunctionType | undefined): Arity {
  return { parameters: type?.parameters.length ?? 0, results: type?.results.length ?? 0 };
}

/** Calls `atEdge` with the height of the stack for each place where ways through the function part or meet. Throws `MODULE_KIND_UNSUPPORTED` for an instruction that is not known here. */
export function walkCode(reader: WasmReader, types: CodeTypes, atEdge: (height: number) => void): void {
  const frames: Frame[] = [{ outside: 0, entered: 0, left: 0 }];
  let height = 0;

  function move(by: number): void {
    height = Math.max(height + by, frames.at(-1)?.outside ?? 0);
  }

  function open(): void {
    const { parameters, results } = blockArity(reader, types);
    const outside = Math.max(0, height - parameters);
    frames.push({ outside, entered: height, left: outside + results });
    atEdge(height);
  }

  function call({ parameters, results }: Arity): void {
    move(-parameters);
    height += results;
  }

  while (frames.length > 0) {
    const code = reader.byte();
    switch (code) {
      case 0x02:
      case 0x03:
      case 0x06:
        open();
        break;
      case 0x04:
        move(-1);
        open();
        // The way past it.
        atEdge(height);
        break;
      case 0x1f:
        open();
        readCatches(reader, () => atEdge(height));
        break;
      case 0x05:
      case 0x07:
      case 0x19:
        // What a handler is given is bounded by what a tag may hold.
        height = (frames.at(-1)?.entered ?? 0) + (code === 0x07 ? TAG_VALUES_MAX : 0);
        if (code === 0x07) reader.u32();
        atEdge(height);
        break;
      case 0x0b:
      case 0x18:
        if (code === 0x18) reader.u32();
        height = frames.pop()?.left ?? 0;
        atEdge(height);
        break;
      case 0x0c:
      case 0x0d:
        reader.u32();
        if (code === 0x0d) move(-1);
        atEdge(height);
        break;
      case 0x0e:
        move(-1);
        for (let left = reader.u32() + 1; left > 0; left--) {
          reader.u32();
          atEdge(height);
        }
        break;
      case 0x10:
        call(types.ofFunction(reader.u32()));
        break;
      case 0x11:
        move(-1);
        call(types.ofType(reader.u32()));
        reader.u32();
        break;
      case 0x14:
        move(-1);
        call(types.ofType(reader.u32()));
        break;
      default:
        move(plainInstruction(reader, code));
        if (code === 0xd5 || code === 0xd6) atEdge(height);
    }
  }
}

const TAG_VALUES_MAX = 1_000;

function blockArity(reader: WasmReader, types: CodeTypes): Arity {
  const first = reader.peek();
  if (first === 0x40) {
    reader.byte();
    return { parameters: 0, results: 0 };
  }
  // Value types are small negative numbers, of which two have another part.
  if (first >= 0x40 && first < 0x80) {
    reader.byte();
    if (first === 0x63 || first === 0x64) reader.skipLeb();
    return { parameters: 0, results: 1 };
  }
  return types.ofType(reader.u32());
}

function readCatches(reader: WasmReader, each: () => void): void {
  for (let left = reader.u32(); left > 0; left--) {
    const kind = reader.byte();
    if (kind < 2) reader.u32();
    reader.u32();
    each();
  }
}

/** Passes over what belongs to an instruction that opens and closes nothing; returns how far it moves the height. */
function plainInstruction(reader: WasmReader, code: number): number {
  if (code >= 0x45 && code <= 0xc4) return isUnary(code) ? 0 : -1;
  if (code >= 0x28 && code <= 0x3e) {
    skipMemoryPlace(reader);
    return code >= 0x36 ? -2 : 0;
  }
  switch (code) {
    case 0x00:
    case 0x01:
    case 0x0a:
    case 0x0f:
    case 0xd1:
    case 0xd4:
      return 0;
    case 0x1a:
    case 0xd3:
      return -1;
    case 0x1b:
      return -2;
    case 0x1c:
      for (let left = reader.u32(); left > 0; left--) skipValueType(reader);
      return -2;
    case 0x13:
      reader.u32();
      reader.u32();
      return -1;
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x22:
    case 0x25:
    case 0x40:
    case 0xd5:
      reader.u32();
      return 0;
    case 0x21:
    case 0x24:
    case 0xd6:
      reader.u32();
      return -1;
    case 0x26:
      reader.u32();
      return -2;
    case 0x20:
    case 0x23:
    case 0x3f:
    case 0xd2:
      reader.u32();
      return 1;
    case 0x41:
    case 0x42:
    case 0xd0:
      reader.skipLeb();
      return 1;
    case 0x43:
      reader.skip(4);
      return 1;
    case 0x44:
      reader.skip(8);
      return 1;
    case 0xfc:
      return bulkInstruction(reader);
    case 0xfd:
      return vectorInstruction(reader);
    case 0xfe: {
      const which = reader.u32();
      if (which === 3) reader.byte();
      else skipMemoryPlace(reader);
      return 0;
    }
    default:
      throw unknown(`0x${code.toString(16)}`);
  }
}

function isUnary(code: number): boolean {
  return (
    code === 0x45 ||
    code === 0x50 ||
    (code >= 0x67 && code <= 0x69) ||
    (code >= 0x79 && code <= 0x7b) ||
    (code >= 0x8b && code <= 0x91) ||
    (code >= 0x99 && code <= 0x9f) ||
    code >= 0xa7
  );
}

function bulkInstruction(reader: WasmReader): number {
  const which = reader.u32();
  if (which < 8 || (which >= 19 && which <= 22)) return 0;
  if (which > 17) throw unknown(`0xfc ${which}`);
  reader.u32();
  if (which === 8 || which === 10 || which === 12 || which === 14) reader.u32();
  if (which === 16) return 1;
  if (which === 15) return -1;
  return which === 9 || which === 13 ? 0 : -3;
}

function vectorInstruction(reader: WasmReader): number {
  const which = reader.u32();
  if (which <= 11 || (which >= 84 && which <= 93)) skipMemoryPlace(reader);
  if ((which >= 21 && which <= 34) || (which >= 84 && which <= 91)) reader.byte();
  if (which === 12 || which === 13) reader.skip(16);
  if (which === 12) return 1;
  return which === 11 || (which >= 88 && which <= 91) ? -2 : 0;
}

const HAS_MEMORY_INDEX = 0x40;

function skipMemoryPlace(reader: WasmReader): void {
  if ((reader.u32() & HAS_MEMORY_INDEX) !== 0) reader.u32();
  reader.skipLeb();
}

function skipValueType(reader: WasmReader): void {
  const code = reader.byte();
  if (code === 0x63 || code === 0x64) reader.skipLeb();
}

function unknown(instruction: string): Error {
  return fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: instruction ${instruction} is not known here`);
}
