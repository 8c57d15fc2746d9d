import { readFileSync } from "node:fs";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import { assertCompilable } from "../../src/runtime/code-cost.ts";
import { planFromBytes } from "../../src/runtime/component/plan-from-bytes.ts";
import { guestStart, testRuntime } from "./guest-starts.ts";

const wasm = async (text: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await parse(text));
const REFUSED = { reason: Reason.MODULE_KIND_UNSUPPORTED, message: expect.stringContaining("to be compiled") };
const times = (count: number, text: string): string => `${text}\n`.repeat(count);

/** Blocks, each with a way out, inside each other. */
const nested = (count: number): string => times(count, "block (br_if 0 (i32.const 0))") + times(count, "end");

const withLocals = (locals: number, blocks: number): string =>
  `(module (func (export "f") (result i32) (local ${times(locals, "i32")}) ${nested(blocks)} i32.const 7))`;

describe("a function that takes too much to compile", () => {
  it("is refused for its blocks and locals, before anything is compiled", async () => {
    const module = await wasm(withLocals(20_000, 1_000));
    await expect(testRuntime().start(guestStart(module))).rejects.toMatchObject(REFUSED);
    await expect(testRuntime().inspect(module)).rejects.toMatchObject(REFUSED);
  });

  it("is refused inside a component", async () => {
    const component = await wasm(`(component
      (core module $m ${withLocals(20_000, 1_000).slice("(module".length)}
      (core instance $i (instantiate $m))
      (func (export "f") (result s32) (canon lift (core func $i "f"))))`);
    await expect(testRuntime().start(guestStart(component))).rejects.toMatchObject(REFUSED);
  });

  it("runs if it has many locals or many blocks, but not both", async () => {
    for (const text of [withLocals(20_000, 50), withLocals(50, 5_000)]) {
      const guest = await testRuntime().start(guestStart(await wasm(text)));
      expect(await guest.invoke("f", [])).toEqual([7]);
    }
  });

  it("is refused for its blocks and operands, also those that calls leave", async () => {
    const operands = (body: string): string => `(module
      (func $many (result ${times(900, "i32")}) ${times(900, "i32.const 0")})
      (func (export "f") ${body}))`;
    const held = times(20_000, "i32.const 0") + nested(1_000) + times(20_000, "drop");
    const left = times(22, "call $many") + nested(1_000) + times(19_800, "drop");
    const dropped = times(22, `call $many ${times(900, "drop")}`) + nested(1_000);
    await expect(assertCompilable(await wasm(operands(held)))).rejects.toMatchObject(REFUSED);
    await expect(assertCompilable(await wasm(operands(left)))).rejects.toMatchObject(REFUSED);
    await expect(assertCompilable(await wasm(operands(dropped)))).resolves.toBeUndefined();
  });

  it("is refused for the targets of its tables of branches", async () => {
    const table = (count: number): string => `(module (func (local ${times(5_000, "i32")})
      block (br_table ${times(count, "0")} (i32.const 0)) end))`;
    await expect(assertCompilable(await wasm(table(10_000)))).rejects.toMatchObject(REFUSED);
    await expect(assertCompilable(await wasm(table(1_000)))).resolves.toBeUndefined();
  });
});

describe("the way through a function", () => {
  it("knows every kind of instruction that a large function may have", async () => {
    const module = await wasm(`(module
      (type $pair (func (param i32) (result i32 i32)))
      (import "m" "f" (func $imported (type $pair)))
      (memory 1 2) (table $t 1 10 funcref) (tag $e (param i32)) (data $d "x") (elem $s func $imported)
      (elem declare func $imported)
      (func (export "f") (param i32 i64 f32 f64) (result i32)
        (local ${times(10_000, "i32")})
        ;; Bytes that look like blocks, so that the function is gone through.
        ${times(4_000, "(drop (i32.const 2))")}
        (drop (i64.extend_i32_s (i32.load8_u offset=3 (local.get 0))))
        (i64.store (i32.const -5) (i64.const 0x7fffffffffffffff))
        (f32.store (i32.const 0) (f32.const 1.5)) (f64.store (i32.const 0) (f64.const 2.5))
        (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop $d)
        (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)) (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
        (table.init $t $s (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $s)
        (table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0)) (table.fill $t (i32.const 0) (ref.null func) (i32.const 0))
        (drop (table.grow $t (ref.func $imported) (i32.const 0))) (drop (table.size $t))
        (table.set $t (i32.const 0) (table.get $t (i32.const 0)))
        (drop (i32.trunc_sat_f64_s (f64.const 1)))
        (v128.store (i32.const 0) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i32x4 1 2 3 4) (v128.load (i32.const 0))))
        (drop (v128.load8_lane 3 (i32.const 0) (i32x4.replace_lane 1 (i32x4.splat (i32.const 1)) (i32.const 5))))
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (atomic.fence)
        (block $out (result i32)
          (try_table (catch $e $out) (catch_all 0) (throw $e (i32.const 1)))
          (i32.const 2))
        (drop (select (result i32) (i32.const 1) (i32.const 2)))
        (if (result i32) (local.get 0)
          (then (call $imported (i32.const 1)) (drop))
          (else (call_indirect $t (type $pair) (i32.const 1) (i32.const 0)) (i32.add)))
        (loop $again (br_if $again (i32.eqz (local.get 0))))
        (drop (ref.is_null (ref.null extern)))
        (global.get 0) (drop)
        (memory.grow (memory.size)))
      (global i32 (i32.const 1)))`);
    await expect(assertCompilable(module)).resolves.toBeUndefined();
  });

  it("comes to the end of every function of real programs", async () => {
    const path = new URL("../../examples/http-counter/http-counter.wasm", import.meta.url);
    for (const module of planFromBytes(new Uint8Array(readFileSync(path))).modules) {
      await expect(assertCompilable(module)).resolves.toBeUndefined();
    }
  });
});
