/** The functions of preview 1 about the process: arguments, environment, clocks, randomness, exit; and sockets, of which there are none. */
import { GuestExit } from "../host/guest-exit.ts";
import type { GuestLine } from "../host/guest-line.ts";
import type { DescriptorTable } from "./descriptor-table.ts";
import { ERRNO } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { HostFunctions } from "./host-functions.ts";

/** What these functions need. */
export type ProcessDeps = {
  readonly line: GuestLine;
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
};

const CLOCK = { realtime: 0, monotonic: 1 } as const;

/** What the host's clocks can tell apart: microseconds of the day's time, nanoseconds otherwise. */
const RESOLUTION_NS = { [CLOCK.realtime]: 1_000n, [CLOCK.monotonic]: 1n } as const;

/** Makes the functions. */
export function processFunctions({ line, memory, table }: ProcessDeps): HostFunctions {
  const args = line.args.map((text) => zeroEnded(text));
  /** What the guest has been told the size of; see `environ_get`. */
  let told: readonly (readonly [string, string])[] | undefined;

  function environment(): readonly (readonly [string, string])[] {
    return Object.entries(line.rights().env);
  }

  const onSocket = (fd: number): number => {
    table.get(fd);
    return ERRNO.notsock;
  };

  return {
    args_sizes_get: (count: number, size: number) => writeSizes(memory, args, count, size),
    args_get: (pointers: number, buffer: number) => writeStrings(memory, args, pointers, buffer),
    environ_sizes_get(count: number, size: number) {
      told = environment();
      return writeSizes(memory, told.map(variable), count, size);
    },
    environ_get(pointers: number, buffer: number) {
      const now = line.rights().env;
      // The guest has made room for as many as it was told. One that was taken from it since leaves an empty string.
      const texts = (told ?? environment()).map(([name, value]) => {
        if (now[name] !== value) return zeroEnded("");
        line.audit(`env:${name}`, "used");
        return variable([name, value]);
      });
      return writeStrings(memory, texts, pointers, buffer);
    },
    clock_res_get(clock: number, result: number) {
      if (clock !== CLOCK.realtime && clock !== CLOCK.monotonic) return ERRNO.inval;
      memory.setU64(result, RESOLUTION_NS[clock]);
      return ERRNO.success;
    },
    clock_time_get(clock: number, _precision: bigint, result: number) {
      if (clock !== CLOCK.realtime && clock !== CLOCK.monotonic) return ERRNO.inval;
      memory.setU64(result, clock === CLOCK.realtime ? line.wallNowNs() : line.monotonicNowNs());
      return ERRNO.success;
    },
    random_get(start: number, length: number) {
      line.fillRandom(memory.bytes(start, length));
      return ERRNO.success;
    },
    // A guest that gives way lets its neighbours run, and lets come in what it may be waiting for.
    sched_yield: () => new Promise<number>((resolve) => setImmediate(resolve, ERRNO.success)),
    proc_exit(code: number): never {
      throw new GuestExit(code >>> 0);
    },
    proc_raise: () => ERRNO.nosys,
    sock_accept: onSocket,
    sock_recv: onSocket,
    sock_send: onSocket,
    sock_shutdown: onSocket,
  };
}

function zeroEnded(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}

function variable([name, value]: readonly [string, string]): Uint8Array {
  return zeroEnded(`${name}=${value}`);
}

function writeSizes(memory: GuestMemory, texts: readonly Uint8Array[], count: number, size: number): number {
  memory.assertRoom(count, 4);
  memory.setU32(size, sizeOf(texts));
  memory.setU32(count, texts.length);
  return ERRNO.success;
}

function writeStrings(memory: GuestMemory, texts: readonly Uint8Array[], pointers: number, buffer: number): number {
  memory.assertRoom(pointers, texts.length * 4);
  memory.assertRoom(buffer, sizeOf(texts));
  let at = buffer >>> 0;
  for (const [index, text] of texts.entries()) {
    memory.setU32((pointers >>> 0) + index * 4, at);
    memory.bytes(at, text.length).set(text);
    at += text.length;
  }
  return ERRNO.success;
}

function sizeOf(texts: readonly Uint8Array[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}
