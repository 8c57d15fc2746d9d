/**
 * A host for `wasi_snapshot_preview1`: arguments, environment, standard streams, clocks, randomness, exit. A guest
 * has no files and no sockets; those functions exist, so that modules link, and say so by their error number.
 */
import { ERRNO } from "./preview1-errno.ts";
import { descriptorFunctions } from "./preview1-descriptors.ts";
import { pollOneoff } from "./preview1-poll.ts";

/** What a preview 1 guest is given. */
export type Preview1Options = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** All of standard input; then end of file. */
  readonly stdin: Uint8Array;
  /** Takes output; may block. The bytes are a view that is valid during the call only. */
  readonly write: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** Blocks for that long. */
  readonly sleepMs: (durationMs: number) => void;
  /** Ends the guest; must not return. */
  readonly exit: (exitCode: number) => never;
  readonly clocks: GuestClocks;
  /** Fills the array with random bytes. */
  readonly fillRandom: (bytes: Uint8Array) => void;
};

/** The clocks that a guest can read, in nanoseconds. */
export type GuestClocks = {
  /** Since the Unix epoch. */
  wallNs(): bigint;
  /** Since some moment before the guest started; never goes back. */
  monotonicNs(): bigint;
};

/** The host functions, and how they learn of the guest's memory once it is instantiated. */
export type Preview1 = {
  readonly imports: Readonly<Record<string, (...values: (number | bigint)[]) => number>>;
  attachMemory(memory: WebAssembly.Memory): void;
};

/** Views on the guest's memory, made anew when it has grown. */
export interface GuestMemory {
  readonly view: DataView;
  readonly bytes: Uint8Array;
}

/** Every function of `wasi_snapshot_preview1`. */
export const PREVIEW1_FUNCTIONS: readonly string[] = `
  args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get
  fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get
  fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_get fd_prestat_dir_name fd_pwrite fd_read fd_readdir
  fd_renumber fd_seek fd_sync fd_tell fd_write
  path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink
  path_remove_directory path_rename path_symlink path_unlink_file
  poll_oneoff proc_exit proc_raise sched_yield random_get sock_accept sock_recv sock_send sock_shutdown`
  .trim()
  .split(/\s+/);

const CLOCK = { realtime: 0, monotonic: 1 } as const;
const CLOCK_RESOLUTION_NS = 1_000n;

/** Makes the host functions for one guest. */
export function createPreview1(options: Preview1Options): Preview1 {
  const memory = growableMemory();
  const encoder = new TextEncoder();
  const args = options.args.map((text) => encoder.encode(`${text}\0`));
  const environ = Object.entries(options.env).map(([name, value]) => encoder.encode(`${name}=${value}\0`));
  const byName: Record<string, (...values: number[]) => number> = {
    args_get: (pointers = 0, buffer = 0) => writeStrings(memory, args, pointers, buffer),
    args_sizes_get: (count = 0, size = 0) => writeSizes(memory, args, count, size),
    environ_get: (pointers = 0, buffer = 0) => writeStrings(memory, environ, pointers, buffer),
    environ_sizes_get: (count = 0, size = 0) => writeSizes(memory, environ, count, size),
    clock_res_get(clock = -1, result = 0) {
      if (clock !== CLOCK.realtime && clock !== CLOCK.monotonic) return ERRNO.inval;
      memory.view.setBigUint64(result, CLOCK_RESOLUTION_NS, true);
      return ERRNO.success;
    },
    clock_time_get(clock = -1, _precision = 0, result = 0) {
      if (clock !== CLOCK.realtime && clock !== CLOCK.monotonic) return ERRNO.inval;
      memory.view.setBigUint64(
        result,
        clock === CLOCK.realtime ? options.clocks.wallNs() : options.clocks.monotonicNs(),
        true,
      );
      return ERRNO.success;
    },
    random_get(start = 0, length = 0) {
      const target = memory.bytes.subarray(start, start + length);
      if (target.length < length) return ERRNO.fault;
      options.fillRandom(target);
      return ERRNO.success;
    },
    poll_oneoff: (subscriptions = 0, events = 0, count = 0, result = 0) =>
      pollOneoff(memory, options, { subscriptions, events, count, result }),
    sched_yield: () => ERRNO.success,
    proc_exit: (code = 0) => options.exit(code),
    proc_raise: () => ERRNO.nosys,
    ...descriptorFunctions(memory, options),
  };
  const imports: Record<string, (...values: (number | bigint)[]) => number> = {};
  for (const name of PREVIEW1_FUNCTIONS) {
    const carryOut = byName[name] ?? (() => ERRNO.badf);
    imports[name] = (...values) =>
      errnoFrom(() => carryOut(...values.map((value) => (typeof value === "number" ? value >>> 0 : Number(value)))));
  }
  return { imports, attachMemory: memory.attach };
}

/** A pointer outside the guest's memory is the guest's error, not the host's. */
function errnoFrom(carryOut: () => number): number {
  try {
    return carryOut();
  } catch (error) {
    // Lost: where the view was exceeded. The guest gets the error number that stands for a bad address.
    if (error instanceof RangeError) return ERRNO.fault;
    throw error;
  }
}

function growableMemory(): GuestMemory & { attach(memory: WebAssembly.Memory): void } {
  let memory: WebAssembly.Memory | undefined;
  let view = new DataView(new ArrayBuffer(0));
  let bytes = new Uint8Array(0);
  const refresh = (): void => {
    if (memory === undefined || memory.buffer === view.buffer) return;
    view = new DataView(memory.buffer);
    bytes = new Uint8Array(memory.buffer);
  };
  return {
    get view() {
      refresh();
      return view;
    },
    get bytes() {
      refresh();
      return bytes;
    },
    attach(attached) {
      memory = attached;
    },
  };
}

function writeSizes(memory: GuestMemory, strings: readonly Uint8Array[], count: number, size: number): number {
  memory.view.setUint32(count, strings.length, true);
  memory.view.setUint32(
    size,
    strings.reduce((sum, text) => sum + text.length, 0),
    true,
  );
  return ERRNO.success;
}

function writeStrings(memory: GuestMemory, strings: readonly Uint8Array[], pointers: number, buffer: number): number {
  let offset = buffer;
  for (const [index, text] of strings.entries()) {
    memory.view.setUint32(pointers + index * 4, offset, true);
    memory.bytes.set(text, offset);
    offset += text.length;
  }
  return ERRNO.success;
}
