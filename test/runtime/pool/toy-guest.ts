/** A bare module that counts, computes and waits as it is told, and how to start it on threads that a test has chosen. */
import type { KvAnswer, KvCall } from "../../../src/providers/kv/kv.ts";
import type { Guest, GuestHost, Runtime } from "../../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime, type StartOptions } from "../guest-starts.ts";
import { wasmFromWat } from "../wat.ts";

/** `count` remembers, `spin` computes for ever, `turns` so long, `wait` asks the host and counts, `alternate` does both in turn, `follow` looks at a variable until it is gone. */
export const TOY: Uint8Array<ArrayBuffer> = wasmFromWat(`(module
  (import "wasmatrix" "kv_exists" (func $exists (param i32 i32 i32 i32) (result i32)))
  (import "wasmatrix" "env_get" (func $env (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table $table 1 10 funcref) (elem declare func $count)
  (data (i32.const 0) "bucket") (data (i32.const 16) "NAME")
  (global $count (mut i32) (i32.const 0))
  (func $count (export "count") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
  (func (export "spin") (loop br 0))
  (func (export "turns") (param $left i64) (result i32)
    (loop $again (local.set $left (i64.sub (local.get $left) (i64.const 1))) (br_if $again (i64.gt_s (local.get $left) (i64.const 0))))
    (call $count))
  (func (export "wait") (result i32)
    (drop (call $exists (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4))) (call $count))
  (func (export "alternate") (param $times i32) (result i32) (local $turns i32)
    (loop $again
      (drop (call $exists (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))
      (local.set $turns (i32.const 5000000))
      (loop $turn (local.set $turns (i32.sub (local.get $turns) (i32.const 1))) (br_if $turn (local.get $turns)))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (call $count))
  (func (export "follow") (result i32) (local $seen i32)
    (loop $again
      (local.set $seen (i32.add (local.get $seen) (i32.const 1)))
      (br_if $again (i32.ge_s (call $env (i32.const 16) (i32.const 4) (i32.const 100) (i32.const 100)) (i32.const 0))))
    (local.get $seen))
  (func (export "mark") (result i32)
    (i32.store (i32.const 4000) (i32.add (i32.load (i32.const 4000)) (i32.const 1)))
    (drop (memory.grow (i32.const 1)))
    (drop (table.grow $table (ref.func $count) (i32.const 1)))
    (i32.add (i32.load (i32.const 4000)) (i32.add (i32.mul (i32.const 100) (memory.size)) (i32.mul (i32.const 10000) (table.size $table))))))`);

/** A host whose key-value calls wait until the test lets them go. */
export type PatientHost = GuestHost & {
  /** Calls that wait now. */
  readonly waiting: (() => void)[];
  /** Lets all go on that wait now. */
  letGo(): void;
};

/** Makes one. */
export function patientHost(): PatientHost {
  const waiting: (() => void)[] = [];
  return {
    ...recordingHost(),
    waiting,
    kv: (_call: KvCall) =>
      new Promise<KvAnswer>((resolve) => {
        waiting.push(() => resolve({ kind: "exists", exists: true }));
      }),
    letGo() {
      for (const go of waiting.splice(0)) go();
    },
  };
}

/** A runtime whose shared guests have one thread, so that it is known who is in whose way. */
export function oneThread(options: Parameters<typeof testRuntime>[0] = {}): Runtime {
  return testRuntime({ poolThreadsMax: 1, ...options });
}

let started = 0;

/** Starts a toy under an id of its own. */
export function startToy(runtime: Runtime, options: StartOptions = {}): Promise<Guest> {
  started += 1;
  return runtime.start(guestStart(TOY, { id: `toy-${started}`, ...options }));
}
