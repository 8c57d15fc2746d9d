/** The linear memory of a preview 1 guest. Every access is checked; what lies outside of the memory is `fault`. */
import { PATH_MAX_BYTES } from "../files/guest-path.ts";
import { ERRNO, Preview1Error } from "./errno.ts";

/** Pieces that one call may read or write, as in Linux. */
export const IOVECS_MAX = 1_024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Addresses and lengths may come as WebAssembly gives them, that is signed. Views are valid until the guest runs again. */
export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #bytes: Uint8Array = new Uint8Array(0);

  /** Gives it the module's memory; before, every access is `fault`. */
  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /** The bytes at an address. */
  bytes(address: number, length: number): Uint8Array {
    const start = this.#checked(address, length);
    return this.#bytes.subarray(start, start + (length >>> 0));
  }

  /** Throws unless so many bytes are there: to be asked of where a result goes before anything is done. */
  assertRoom(address: number, length: number): void {
    this.#checked(address, length);
  }

  u8(address: number): number {
    const start = this.#checked(address, 1);
    return this.#view.getUint8(start);
  }

  u16(address: number): number {
    const start = this.#checked(address, 2);
    return this.#view.getUint16(start, true);
  }

  u32(address: number): number {
    const start = this.#checked(address, 4);
    return this.#view.getUint32(start, true);
  }

  u64(address: number): bigint {
    const start = this.#checked(address, 8);
    return this.#view.getBigUint64(start, true);
  }

  setU8(address: number, value: number): void {
    const start = this.#checked(address, 1);
    this.#view.setUint8(start, value);
  }

  setU16(address: number, value: number): void {
    const start = this.#checked(address, 2);
    this.#view.setUint16(start, value, true);
  }

  setU32(address: number, value: number): void {
    const start = this.#checked(address, 4);
    this.#view.setUint32(start, value, true);
  }

  setU64(address: number, value: bigint): void {
    const start = this.#checked(address, 8);
    this.#view.setBigUint64(start, value, true);
  }

  /** A path; `ilseq` unless it is UTF-8, `nametoolong` beyond `PATH_MAX_BYTES`. */
  path(address: number, length: number): string {
    const bytes = this.bytes(address, length);
    if (bytes.length >= PATH_MAX_BYTES) throw new Preview1Error(ERRNO.nametoolong);
    try {
      return decoder.decode(bytes);
    } catch {
      // What is lost is where: the decoder does not say.
      throw new Preview1Error(ERRNO.ilseq);
    }
  }

  /** The pieces that an array of (address, length) pairs names, without the empty ones; `inval` beyond `IOVECS_MAX`. */
  pieces(start: number, count: number): Uint8Array[] {
    if (count >>> 0 > IOVECS_MAX) throw new Preview1Error(ERRNO.inval);
    this.assertRoom(start, count * 8);
    const pieces: Uint8Array[] = [];
    for (let index = 0; index < count; index++) {
      const at = (start >>> 0) + index * 8;
      const piece = this.bytes(this.u32(at), this.u32(at + 4));
      if (piece.length > 0) pieces.push(piece);
    }
    return pieces;
  }

  /** The address, unsigned, with views on the memory as it is now. */
  #checked(address: number, length: number): number {
    const buffer = this.#memory?.buffer;
    if (buffer !== undefined && buffer !== this.#view.buffer) {
      this.#view = new DataView(buffer);
      this.#bytes = new Uint8Array(buffer);
    }
    const start = address >>> 0;
    if (start + (length >>> 0) > this.#bytes.length) throw new Preview1Error(ERRNO.fault);
    return start;
  }
}
