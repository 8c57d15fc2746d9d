import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../../src/fault.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { worldText } from "../../../src/runtime/component/wit-text.ts";
import { componentFromWat } from "./component-guest.ts";

const PROBE: Uint8Array = new Uint8Array(await readFile(new URL("../guests/probe.wasm", import.meta.url)));
const SMALL: Uint8Array = await componentFromWat(`(component
  (import "a:b/c@1.0.0" (instance $i (type $e (variant (case "x" u8) (case "y" string))) (export "e" (type $ee (eq $e)))
    (export "r" (type $r (sub resource))) (export "f" (func (param "p" (borrow $r)) (result (result (list $ee) (error (option u64))))))))
  (component $C (import "g" (func (param "x" u32))) (core module $M (func (export "f") (param i32)))
    (core instance $m (instantiate $M)) (func (export "f") (param "x" u32) (canon lift (core func $m "f"))))
  (core module $M (memory (export "m") 1) (func (export "f") (param i32)))
  (core instance $m (instantiate $M))
  (func $f (param "x" u32) (canon lift (core func $m "f")))
  (instance $c (instantiate $C (with "g" (func $f))))
  (core func (canon lower (func $c "f")))
  (type $res (resource (rep i32)))
  (core func (canon resource.new $res))
  (export "f" (func $c "f")))`);

const EXPECTED: readonly Reason[] = [Reason.MODULE_NOT_WASM, Reason.MODULE_MALFORMED, Reason.MODULE_KIND_UNSUPPORTED];

/** Reads bytes; anything but a plan or a fault for the module fails the test. */
function outcome(bytes: Uint8Array): "planned" | "refused" {
  try {
    worldText(planFromBytes(bytes).plan);
    return "planned";
  } catch (error) {
    if (isFault(error) && EXPECTED.includes(error.reason)) return "refused";
    throw error;
  }
}

describe("bytes that are no component", () => {
  it("are refused wherever a component is cut off", () => {
    for (let length = 0; length < SMALL.length; length++) outcome(SMALL.subarray(0, length));
    expect(outcome(SMALL)).toBe("planned");
  });

  it("are refused, or read as something else, whatever bytes are changed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(SMALL, PROBE),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
        (component, changes) => {
          const bytes = new Uint8Array(component);
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          outcome(bytes);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("are refused, or read as something else, whatever is left out or put in", () => {
    fc.assert(
      fc.property(fc.nat(SMALL.length), fc.nat(40), fc.uint8Array({ maxLength: 40 }), (at, count, added) => {
        outcome(Uint8Array.from([...SMALL.subarray(0, at), ...added, ...SMALL.subarray(at + count)]));
      }),
      { numRuns: 1_000 },
    );
  });

  it("are refused after a header that promises one", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
        outcome(Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, ...rest]));
      }),
      { numRuns: 1_000 },
    );
  });
});
