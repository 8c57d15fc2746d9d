/** WASIX programs for tests, written by hand: there is no WASIX toolchain where these tests must run. */
import wabtFactory from "wabt";

const wabt = await wabtFactory();

/** Compiles text that may use shared memories. */
export function wasixFromWat(text: string): Uint8Array<ArrayBuffer> {
  const parsed = wabt.parseWat("program.wat", text, { bulk_memory: true, threads: true });
  try {
    return new Uint8Array(parsed.toBinary({}).buffer);
  } finally {
    parsed.destroy();
  }
}

const EXIT = '(import "wasix_32v1" "proc_exit" (func $exit (param i32)))';
const WRITE = '(import "wasix_32v1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))';
const READ = '(import "wasix_32v1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))';

/** What it writes to `fd`: memory from `address`, `bytes` of it (both i32 expressions). */
const write = (fd: number, address: string, bytes: string): string => `
  (i32.store (i32.const 0) ${address}) (i32.store (i32.const 4) ${bytes})
  (drop (call $fd_write (i32.const ${fd}) (i32.const 0) (i32.const 1) (i32.const 8)))`;

/** Begins with these instructions, and exits with what they leave, or 0. */
export function program(
  body: string,
  options: { readonly imports?: string; readonly memory?: string; readonly more?: string } = {},
): Uint8Array<ArrayBuffer> {
  const memory = options.memory ?? '(memory (export "memory") 2)';
  const [imported, own] = memory.startsWith("(import") ? [memory, ""] : ["", memory];
  return wasixFromWat(`(module ${imported} ${EXIT} ${WRITE} ${READ} ${options.imports ?? ""} ${own} ${options.more ?? ""}
    (func (export "_start") (local $i i32) (local $n i32) ${body}))`);
}

/** Exits with a code. */
export const exiting = (code: number): Uint8Array<ArrayBuffer> => program(`(call $exit (i32.const ${code}))`);

/** Writes its arguments and its environment, with zero bytes between, then its whole standard input. */
export const TELLS_ALL: Uint8Array<ArrayBuffer> = program(
  `(drop (call $args_sizes (i32.const 16) (i32.const 20))) (drop (call $env_sizes (i32.const 24) (i32.const 28)))
   (drop (call $args (i32.const 64) (i32.const 1024))) (drop (call $env (i32.const 512) (i32.const 4096)))
   ${write(1, "(i32.const 1024)", "(i32.load (i32.const 20))")} ${write(1, "(i32.const 4096)", "(i32.load (i32.const 28))")}
   (block $end (loop $more
     (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 4096))
     (br_if $end (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 12)))
     (br_if $end (i32.eqz (i32.load (i32.const 12))))
     (local.set $n (i32.load (i32.const 12)))
     ${write(2, "(i32.const 65536)", "(local.get $n)")}
     (br $more)))`,
  {
    imports: `(import "wasix_32v1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
      (import "wasix_32v1" "args_get" (func $args (param i32 i32) (result i32)))
      (import "wasix_32v1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
      (import "wasix_32v1" "environ_get" (func $env (param i32 i32) (result i32)))`,
  },
);

/** Writes lines of 64 bytes, so many, by default without end. */
export const writing = (lines?: number): Uint8Array<ArrayBuffer> =>
  program(`(memory.fill (i32.const 1024) (i32.const 120) (i32.const 63)) (i32.store8 (i32.const 1087) (i32.const 10))
    (block $end (loop $more
      ${lines === undefined ? "" : `(br_if $end (i32.ge_u (local.get $i) (i32.const ${lines})))`}
      ${write(1, "(i32.const 1024)", "(i32.const 64)")}
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $more)))`);

/** Writes a line, then computes for ever. */
export const SPINNING: Uint8Array<ArrayBuffer> = program(
  `${write(1, "(i32.const 1024)", "(i32.const 9)")} (loop $again (br $again))`,
  { more: '(data (i32.const 1024) "spinning\\n")' },
);

/** Writes a line, then sleeps for ever. */
export const SLEEPING: Uint8Array<ArrayBuffer> = program(
  `${write(1, "(i32.const 1024)", "(i32.const 9)")} (loop $again (drop (call $sleep (i64.const 3600000000000))) (br $again))`,
  {
    imports: '(import "wasix_32v1" "thread_sleep" (func $sleep (param i64) (result i32)))',
    more: '(data (i32.const 1024) "sleeping\\n")',
  },
);

/** Traps after it has begun, or in its start function. */
export const TRAPPING: Uint8Array<ArrayBuffer> = program("unreachable");
export const TRAPPING_IN_START: Uint8Array<ArrayBuffer> = program("", {
  more: "(func $begin unreachable) (start $begin)",
});

/** Grows its memory by so many pages, and exits with 1 if it got them, with 0 if not. */
export const growing = (pages: number, memory?: string): Uint8Array<ArrayBuffer> =>
  program(
    `(call $exit (i32.ne (memory.grow (i32.const ${pages})) (i32.const -1)))`,
    memory === undefined ? {} : { memory },
  );

/** A shared memory as threads have it, which the host makes. */
export const SHARED_MEMORY = '(import "env" "memory" (memory 2 16384 shared)) (export "memory" (memory 0))';

/** Begins so many threads that each count one up and then wait for ever; waits until `wanted` run, and exits with how many do. */
export const spawning = (threads: number, wanted: number): Uint8Array<ArrayBuffer> =>
  program(
    `(i32.store (i32.const 32) (i32.const 70000)) (i32.store (i32.const 36) (i32.const 80000)) (i32.store (i32.const 48) (i32.const 1024))
    (block $end (loop $more
      (br_if $end (i32.ge_u (local.get $i) (i32.const ${threads})))
      (br_if $end (call $spawn (i32.const 32) (i32.const 600)))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $more)))
    (block $all (loop $wait
      (br_if $all (i32.ge_u (i32.atomic.load (i32.const 512)) (i32.const ${wanted})))
      (drop (call $sleep (i64.const 1000000))) (br $wait)))
    (call $exit (i32.atomic.load (i32.const 512)))`,
    {
      memory: SHARED_MEMORY,
      imports: `(import "wasix_32v1" "thread_spawn_v2" (func $spawn (param i32 i32) (result i32)))
        (import "wasix_32v1" "thread_sleep" (func $sleep (param i64) (result i32)))`,
      more: `(global (export "__stack_pointer") (mut i32) (i32.const 60000))
        (func (export "wasi_thread_start") (param i32 i32)
          (drop (i32.atomic.rmw.add (i32.const 512) (i32.const 1)))
          (drop (memory.atomic.wait32 (i32.const 520) (i32.const 0) (i64.const -1))))`,
    },
  );

/**
 * Writes so many MiB to a file of its own, by default without end; exits with 0 if all was taken, with 1 at the first
 * refusal. The folder of its first preopened descriptor that takes the file is used.
 */
export const filling = (mib?: number): Uint8Array<ArrayBuffer> =>
  program(
    `(local.set $n (i32.const 3))
    (block $opened (loop $next
      (br_if $opened (i32.eqz (call $open (local.get $n) (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 1)
        (i64.const 0x1fffffff) (i64.const 0) (i32.const 0) (i32.const 40))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (if (i32.ge_u (local.get $n) (i32.const 10)) (then (call $exit (i32.const 2))))
      (br $next)))
    (block $end (loop $more
      ${mib === undefined ? "" : `(br_if $end (i32.ge_u (local.get $i) (i32.const ${mib * 16})))`}
      (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 65536))
      (if (call $fd_write (i32.load (i32.const 40)) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $exit (i32.const 1))))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $more)))`,
    {
      imports: `(import "wasix_32v1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))`,
      more: '(data (i32.const 1024) "f")',
    },
  );

/** Connects to an IPv4 address; exits with 0 if it is connected, otherwise with what it was refused by. */
export const connecting = (
  address: readonly [number, number, number, number],
  port: number,
): Uint8Array<ArrayBuffer> => {
  const octets = [port >> 8, port & 255, ...address]
    .map((octet) => `\\${octet.toString(16).padStart(2, "0")}`)
    .join("");
  return program(
    `(if (call $open (i32.const 1) (i32.const 1) (i32.const 6) (i32.const 40)) (then (call $exit (i32.const 200))))
    (call $exit (call $connect (i32.load (i32.const 40)) (i32.const 1024)))`,
    {
      imports: `(import "wasix_32v1" "sock_open" (func $open (param i32 i32 i32 i32) (result i32)))
        (import "wasix_32v1" "sock_connect" (func $connect (param i32 i32) (result i32)))`,
      // A tag (1: IPv4), a byte of nothing, the port and the address.
      more: `(data (i32.const 1024) "\\01\\00${octets}")`,
    },
  );
};
