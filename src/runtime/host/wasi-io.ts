/** The interfaces of `wasi:io`. */
import type { HostInterfaces } from "../component/component-value.ts";
import type { GivingWay } from "./giving-way.ts";
import { countOf, type InputStream } from "./input-stream.ts";
import type { IoError } from "./io-error.ts";
import type { OutputStream } from "./output-stream.ts";
import { blockOn, isReadyNow, Pollable, pollMany } from "./pollable.ts";

/**
 * `error`, `poll` and `streams`. Functions that only ask are suspending as well: see `giving-way.ts`.
 */
export function ioInterfaces(giveWay: GivingWay): HostInterfaces {
  return {
    "wasi:io/error": {
      functions: { "[method]error.to-debug-string": (error: IoError) => error.message },
      resources: { error: {} },
    },
    "wasi:io/poll": {
      functions: {
        "[method]pollable.ready": (pollable: Pollable) => isReadyNow(pollable, giveWay),
        "[method]pollable.block": blockOn,
        poll: (pollables: readonly Pollable[]) => pollMany(pollables, giveWay),
      },
      suspending: ["[method]pollable.ready", "[method]pollable.block", "poll"],
      resources: { pollable: { drop: (pollable: Pollable) => pollable.drop() } },
    },
    "wasi:io/streams": {
      functions: {
        "[method]input-stream.read": (stream: InputStream, length: bigint) => stream.read(length, giveWay),
        "[method]input-stream.blocking-read": (stream: InputStream, length: bigint) => stream.blockingRead(length),
        "[method]input-stream.skip": (stream: InputStream, length: bigint) => countOf(stream.read(length, giveWay)),
        "[method]input-stream.blocking-skip": (stream: InputStream, length: bigint) =>
          countOf(stream.blockingRead(length)),
        "[method]input-stream.subscribe": (stream: InputStream) => new Pollable(stream.readiness),
        "[method]output-stream.check-write": (stream: OutputStream) => stream.checkWrite(giveWay),
        "[method]output-stream.write": (stream: OutputStream, contents: Uint8Array) => stream.write(contents),
        "[method]output-stream.blocking-write-and-flush": (stream: OutputStream, contents: Uint8Array) =>
          stream.blockingWrite(contents),
        "[method]output-stream.flush": (stream: OutputStream) => stream.flush(),
        "[method]output-stream.blocking-flush": (stream: OutputStream) => stream.flush(),
        "[method]output-stream.subscribe": (stream: OutputStream) => new Pollable(stream.readiness),
        "[method]output-stream.write-zeroes": (stream: OutputStream, length: bigint) => stream.writeZeroes(length),
        "[method]output-stream.blocking-write-zeroes-and-flush": (stream: OutputStream, length: bigint) =>
          stream.blockingWriteZeroes(length),
        "[method]output-stream.splice": (stream: OutputStream, source: InputStream, length: bigint) =>
          stream.splice(source, length, giveWay),
        "[method]output-stream.blocking-splice": (stream: OutputStream, source: InputStream, length: bigint) =>
          stream.blockingSplice(source, length),
      },
      suspending: [
        "[method]input-stream.read",
        "[method]input-stream.blocking-read",
        "[method]input-stream.skip",
        "[method]input-stream.blocking-skip",
        "[method]output-stream.check-write",
        "[method]output-stream.blocking-write-and-flush",
        "[method]output-stream.blocking-write-zeroes-and-flush",
        "[method]output-stream.splice",
        "[method]output-stream.blocking-splice",
      ],
      resources: { "input-stream": {}, "output-stream": {} },
    },
  };
}
