/** The linear memory of a bare module, every access to which is checked. */
import { AbiError } from "./abi-error.ts";

/** Most bytes that one argument may have. */
export const ARGUMENT_MAX_BYTES: number = 16 * 1024 * 1024;

/** Most bytes of a text: a bucket, a key, a topic, a URL, a log line, all headers of a request. */
export const TEXT_MAX_BYTES: number = 64 * 1024;

/** A place in the guest's memory that it offers for a result; checked, and safe to write to at any later time, for memory never shrinks. */
export type Room = { readonly address: number; readonly bytes: number };

/** Addresses and lengths are unsigned 32 bit numbers. All methods throw `AbiError` `invalid` for what lies outside of the memory. */
export interface GuestMemory {
  /** Gives it the module's memory; before, every access fails. */
  attach(memory: WebAssembly.Memory): void;
  /** A copy; `what` names it in the error. */
  read(address: number, bytes: number, what: string, maxBytes?: number): Uint8Array<ArrayBuffer>;
  /** UTF-8, at most `TEXT_MAX_BYTES`. */
  readText(address: number, bytes: number, what: string): string;
  room(address: number, bytes: number, what: string): Room;
  /** As much of `content` as there is room for. */
  write(room: Room, content: Uint8Array): void;
}

/** A memory that is still to be attached. */
export function createGuestMemory(): GuestMemory {
  let attached: WebAssembly.Memory | undefined;
  // A view is made anew each time: growing the memory detaches the buffer under every earlier one.
  const all = (): Uint8Array => {
    if (attached === undefined) throw new AbiError("invalid", "The module has no memory yet");
    return new Uint8Array(attached.buffer);
  };
  const room = (address: number, bytes: number, what: string): Room => {
    const size = all().length;
    if (address + bytes > size)
      throw new AbiError(
        "invalid",
        `Cannot use ${what}: ${bytes} bytes at address ${address} lie outside of the memory (${size} bytes)`,
      );
    return { address, bytes };
  };
  const read = (
    address: number,
    bytes: number,
    what: string,
    maxBytes = ARGUMENT_MAX_BYTES,
  ): Uint8Array<ArrayBuffer> => {
    room(address, bytes, what);
    if (bytes > maxBytes)
      throw new AbiError("invalid", `Cannot use ${what}: it exceeds ${maxBytes} bytes (got ${bytes})`);
    // By hand instead of by slice(), which would give shared memory back as shared memory.
    const copy = new Uint8Array(bytes);
    copy.set(all().subarray(address, address + bytes));
    return copy;
  };
  return {
    attach: (memory) => {
      attached = memory;
    },
    read,
    readText: (address, bytes, what) => textFromUtf8(read(address, bytes, what, TEXT_MAX_BYTES), what),
    room,
    write: ({ address, bytes }, content) => all().set(content.subarray(0, bytes), address),
  };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textFromUtf8(bytes: Uint8Array<ArrayBuffer>, what: string): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    // What is lost is where: the decoder does not say.
    throw new AbiError("invalid", `Cannot use ${what}: it is not UTF-8`);
  }
}
