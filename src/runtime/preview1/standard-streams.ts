/** Reading standard input, writing standard output and error. */
import type { GivingWay } from "../host/giving-way.ts";
import type { ByteSink, GuestLine } from "../host/guest-line.ts";
import { FDFLAG, type StreamDescriptor } from "./descriptor-table.ts";
import { ERRNO, Preview1Error } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";

/** Where the pieces of one read or write are, and where the count of bytes goes. */
export type PieceArgs = { readonly pieces: number; readonly count: number; readonly result: number };

/** Largest write in one go; the rest is left to the guest, as the standard allows. */
export const WRITE_MAX_BYTES: number = 1024 * 1024;

/** See the top of the file. */
export interface StandardStreams {
  /** Reads what is there; waits for it if nothing is. 0 bytes mean the end. */
  read(stream: StreamDescriptor, args: PieceArgs): number | Promise<number>;
  /** Writes as much as there is room for; waits for room if there is none. */
  write(stream: StreamDescriptor, args: PieceArgs): number | Promise<number>;
}

/** Makes the streams of one guest. */
export function createStandardStreams(line: GuestLine, memory: GuestMemory, givingWay: GivingWay): StandardStreams {
  /** The error number, or `undefined` if there is nothing yet. */
  function readNow(args: PieceArgs): number | undefined {
    if (!line.stdin.isReady()) return undefined;
    let total = 0;
    for (const piece of memory.pieces(args.pieces, args.count)) {
      if (total > 0 && !line.stdin.isReady()) break;
      const taken = line.stdin.take(piece.length);
      if (taken.kind === "failed" && total === 0) throw new Preview1Error(ERRNO.io);
      if (taken.kind !== "bytes") break;
      if (taken.bytes.length === 0 && total === 0) return undefined;
      piece.set(taken.bytes);
      total += taken.bytes.length;
      if (taken.bytes.length < piece.length) break;
    }
    memory.setU32(args.result, total);
    return ERRNO.success;
  }

  function writeNow(sink: ByteSink, args: PieceArgs): number | undefined {
    const room = sink.room();
    if (room === undefined) throw new Preview1Error(ERRNO.pipe);
    const pieces = memory.pieces(args.pieces, args.count);
    if (room === 0 && pieces.length > 0) return undefined;
    const bytes = copyOf(pieces, Math.min(room, WRITE_MAX_BYTES));
    if (bytes.length > 0) sink.write(bytes);
    memory.setU32(args.result, bytes.length);
    return ERRNO.success;
  }

  async function until(now: () => number | undefined, ready: () => Promise<void>): Promise<number> {
    for (;;) {
      await ready();
      const errno = now();
      if (errno !== undefined) return errno;
    }
  }

  const mustNotWait = (stream: StreamDescriptor): boolean => (stream.flags & FDFLAG.nonblock) !== 0;

  return {
    read(stream, args) {
      memory.assertRoom(args.result, 4);
      if (memory.pieces(args.pieces, args.count).length === 0) {
        memory.setU32(args.result, 0);
        return ERRNO.success;
      }
      const now = (): number | undefined => readNow(args);
      return now() ?? (mustNotWait(stream) ? givingWay(ERRNO.again) : until(now, () => line.stdin.whenReady()));
    },
    write(stream, args) {
      memory.assertRoom(args.result, 4);
      const sink = stream.kind === "stdout" ? line.stdout : line.stderr;
      const now = (): number | undefined => writeNow(sink, args);
      return now() ?? (mustNotWait(stream) ? givingWay(ERRNO.again) : until(now, () => sink.whenRoom()));
    },
  };
}

/**
 * The first `maxBytes` of the pieces, as one array of its own. One for a whole call, so that a line that is printed from several
 * pieces stays whole. Pieces may overlap, so all together may be far larger than the memory.
 */
export function copyOf(pieces: readonly Uint8Array[], maxBytes: number): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first.slice(0, maxBytes);
  const whole = new Uint8Array(
    Math.min(
      maxBytes,
      pieces.reduce((sum, piece) => sum + piece.length, 0),
    ),
  );
  let offset = 0;
  for (const piece of pieces) {
    const taken = piece.subarray(0, whole.length - offset);
    whole.set(taken, offset);
    offset += taken.length;
    if (offset === whole.length) break;
  }
  return whole;
}
