/** Core modules that misbehave, and their twins that stay within the rule: which it is says the parameter. */
import { wasmFromWat } from "./wat.ts";

type Wasm = Uint8Array<ArrayBuffer>;

/** Its start function computes for so many turns; by default for ever. */
export function loopsInStart(turns: number = Number.POSITIVE_INFINITY): Wasm {
  const leave = Number.isFinite(turns) ? `(br_if $done (i32.ge_u (local.get $turn) (i32.const ${turns})))` : "";
  return wasmFromWat(`(module
    (func $start (local $turn i32)
      (block $done (loop $again ${leave}
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br $again))))
    (start $start)
    (func (export "answer") (result i32) (i32.const 42)))`);
}

/** Its start function traps, or does nothing. */
export function trapsInStart(isTrapping: boolean): Wasm {
  return wasmFromWat(`(module (func $start ${isTrapping ? "unreachable" : ""}) (start $start)
    (func (export "answer") (result i32) (i32.const 42)))`);
}

/** Functions that break one rule each, as far as their argument says. */
export const FUNCTIONS: Wasm = wasmFromWat(`(module
  (memory (export "memory") 1) (table $table 1 funcref)
  (func (export "answer") (result i32) (i32.const 42))
  (func (export "grow_memory") (param $pages i32) (result i32) (memory.grow (local.get $pages)))
  (func (export "grow_table") (param $entries i32) (result i32) (table.grow $table (ref.null func) (local.get $entries)))
  (func $recurse (export "recurse") (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth)) (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $recurse (i32.sub (local.get $depth) (i32.const 1)))))))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "spin") (param $turns i64) (result i32)
    (block $done (loop $again
      (br_if $done (i64.eqz (local.get $turns)))
      (local.set $turns (i64.sub (local.get $turns) (i64.const 1)))
      (br $again)))
    (i32.const 1)))`);

/** A command that computes for so many turns; by default for ever. */
export function spinningCommand(turns?: number): Wasm {
  const leave = turns === undefined ? "" : `(br_if $done (i32.ge_u (local.get $turn) (i32.const ${turns})))`;
  return wasmFromWat(`(module (memory (export "memory") 1)
    (func (export "_start") (local $turn i32)
      (block $done (loop $again ${leave}
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br $again)))))`);
}

/** A command that sleeps so many milliseconds. */
export function sleepingCommand(ms: number): Wasm {
  // A subscription at 0: clock (tag 0), monotonic (id 1), timeout at 24; its event goes to 64, their count to 128.
  return wasmFromWat(`(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (i32.store (i32.const 16) (i32.const 1))
      (i64.store (i32.const 24) (i64.const ${ms}000000))
      (if (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)) (then unreachable))))`);
}

/** A command that writes so many lines of so many bytes to standard output, by default without end. */
export function writingCommand(bytes: number, lines?: number): Wasm {
  const leave = lines === undefined ? "" : `(br_if $done (i32.ge_u (local.get $line) (i32.const ${lines})))`;
  return wasmFromWat(`(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start") (local $line i32)
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const ${bytes}))
      (memory.fill (i32.const 1024) (i32.const 120) (i32.const ${bytes - 1}))
      (i32.store8 (i32.const ${1024 + bytes - 1}) (i32.const 10))
      (block $done (loop $again ${leave}
        (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)) (then unreachable))
        (local.set $line (i32.add (local.get $line) (i32.const 1)))
        (br $again)))))`);
}

/** A command that opens the file `f` of its first folder so many times and closes none, by default without end; a refusal is a trap. */
export function openingCommand(times?: number): Wasm {
  const leave = times === undefined ? "" : `(br_if $done (i32.ge_u (local.get $turn) (i32.const ${times})))`;
  return wasmFromWat(`(module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "f")
    (func (export "_start") (local $turn i32)
      (block $done (loop $again ${leave}
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
              (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16))
          (then unreachable))
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br $again)))))`);
}
