/** Streams over an open file. A file never keeps anybody waiting. */
import type { OpenFile } from "../files/descriptor.ts";
import { FileError } from "../files/file-error.ts";
import { fileCodeFrom } from "./file-values.ts";
import type { ByteSink, ByteSource, SourceTaken } from "./guest-line.ts";

/** Bytes that may be written at once. */
const ROOM_BYTES = 1024 * 1024;

/** Bytes that are read at once, however many are asked for. */
const PIECE_MAX_BYTES = 64 * 1024;

/** The bytes of `file` from `offset` on. What comes to it later is read as well: the end is looked for anew at each read. */
export function fileSource(file: OpenFile, offset: bigint): ByteSource {
  let position = offset;
  return {
    isReady: () => true,
    whenReady: () => Promise.resolve(),
    take(maxBytes): SourceTaken {
      const bytes = new Uint8Array(Math.min(maxBytes, PIECE_MAX_BYTES));
      try {
        const length = file.read(bytes, position);
        position += BigInt(length);
        if (length === 0 && bytes.length > 0) return { kind: "end", trailers: undefined };
        return { kind: "bytes", bytes: length === bytes.length ? bytes : bytes.slice(0, length) };
      } catch (error) {
        if (error instanceof FileError) return { kind: "failed", message: fileCodeFrom(error.code) };
        throw error;
      }
    },
    cancel() {},
  };
}

/** Writes to `file` from `offset` on, or always at its end. */
export function fileSink(file: OpenFile, offset: bigint | "end"): ByteSink {
  let position = offset;
  let failure: string | undefined;
  return {
    room: () => (failure === undefined ? ROOM_BYTES : undefined),
    whenRoom: () => Promise.resolve(),
    get failure() {
      return failure;
    },
    write(bytes) {
      try {
        for (let rest = bytes; rest.length > 0;) {
          const length = position === "end" ? file.append(rest) : file.write(rest, position);
          // A disk that is full takes a part, and says so when it is given the rest.
          if (length === 0) throw new FileError("insufficient-space");
          if (position !== "end") position += BigInt(length);
          rest = rest.subarray(length);
        }
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        failure = fileCodeFrom(error.code);
      }
    },
    finish() {},
    abort() {},
  };
}
