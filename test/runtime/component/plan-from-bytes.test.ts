import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { wasmFromWat } from "../wat.ts";
import { call, componentFromWat, instanceFromWat } from "./component-guest.ts";

const refusal = (wat: string): Promise<unknown> => componentFromWat(wat).then((bytes) => planFromBytes(bytes));

describe("the plan of a component", () => {
  it("is plain data: it comes through JSON as it was", async () => {
    const { plan } = planFromBytes(
      await componentFromWat(`(component
      (import "a:b/c@1.0.0" (instance (type $e (enum "x" "y")) (export "e" (type (eq $e)))))
      (core module $M (func (export "f")))
      (core instance $m (instantiate $M))
      (func (export "f") (canon lift (core func $m "f"))))`),
    );
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    expect(plan.moduleUses).toEqual([1]);
    expect(plan.imports.map(({ name }) => name)).toEqual(["a:b/c@1.0.0"]);
  });

  it("counts how often each core module is instantiated, through nested components too", async () => {
    const { plan, modules } = planFromBytes(
      await componentFromWat(`(component
      (component $C (core module $M (memory 1)) (core instance (instantiate $M)))
      (instance (instantiate $C)) (instance (instantiate $C)))`),
    );
    expect(modules).toHaveLength(1);
    expect(plan.moduleUses).toEqual([2]);
  });

  it("gives copies of the core modules, which can be posted alone", async () => {
    const { modules } = planFromBytes(await componentFromWat("(component (core module (memory 1)))"));
    expect(modules[0]?.buffer.byteLength).toBe(modules[0]?.length);
  });

  it("looks up what nested components take from those around them", async () => {
    const guest = await instanceFromWat(`(component
      (core module $M (func (export "f") (param i32) (result i32) (local.get 0)))
      (type $small (enum "red" "green"))
      (component $Inner
        (alias outer 1 $small (type $t))
        (export $e "color" (type $t))
        (core instance $m (instantiate $M))
        (func (export "f") (param "c" $e) (result $e) (canon lift (core func $m "f"))))
      (instance $inner (instantiate $Inner))
      (export "inner" (instance $inner)))`);
    expect(call(guest, "inner#f", "green")).toBe("green");
  });

  it("names functions with and without the version of their interface", async () => {
    const guest = await instanceFromWat(`(component
      (core module $M (func (export "f") (result i32) (i32.const 3)))
      (core instance $m (instantiate $M))
      (func $f (result u32) (canon lift (core func $m "f")))
      (instance $i (export "f" (func $f)))
      (export "a:b/c@1.0.0" (instance $i)))`);
    expect([...guest.functions.keys()]).toEqual(["a:b/c@1.0.0#f", "a:b/c#f"]);
    expect(call(guest, "a:b/c#f")).toBe(3);
  });

  it("lets a component export a function that it imports", async () => {
    const guest = await instanceFromWat(
      `(component (import "f" (func $f (param "x" u32) (result u32))) (core func $used (canon lower (func $f))) (export "g" (func $f)))`,
      { $root: { functions: { f: (x: number) => x + 1 } } },
    );
    expect(call(guest, "g", 1)).toBe(2);
  });
});

describe("what is refused by its name", () => {
  it.each([
    ["an async function type", `(component (type (func async)))`],
    ["stream", `(component (type (stream u8)))`],
    ["future", `(component (type (future u8)))`],
    ["error-context", `(component (type (list error-context)))`],
    ["task.return", `(component (core func (canon task.return)))`],
    ["waitable-set.new", `(component (core func (canon waitable-set.new)))`],
    ["an async function", `(component (import "f" (func $f)) (core func (canon lower (func $f) async)))`],
  ])("is %s of WASI 0.3", async (what, wat) => {
    await expect(refusal(wat)).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
      message: `Cannot host module: it uses ${what} of the asynchronous component model (WASI 0.3), hosted are components of WASI 0.2`,
    });
  });

  it.each([
    ['import "c" of a component', `(component (import "c" (component)))`],
    ['import "m" of a core-module', `(component (import "m" (core module)))`],
    ["a 64-bit memory", `(component (core module (memory i64 1)))`],
    [
      "a function that is lifted without a core module in between",
      `(component (import "f" (func $f)) (core func $l (canon lower (func $f))) (func (export "f") (canon lift (core func $l))))`,
    ],
    [
      '"i" of interface "a:b/c", which is a instance',
      `(component (import "a:b/c" (instance (export "i" (instance)))))`,
    ],
    ["threads", `(component (core func (canon thread.index)))`],
  ])("is %s", async (what, wat) => {
    await expect(refusal(wat)).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
      message: `Cannot host module: it has ${what}, which is not hosted here`,
    });
  });
});

describe("what does not fit together", () => {
  const main = `(core module $M (memory (export "memory") 1) (func (export "f") (param i32) (result i32) (local.get 0))) (core instance $m (instantiate $M))`;

  it.each([
    [
      "an import that a core module is not given",
      `(component (core module $M (import "a" "b" (func))) (core instance (instantiate $M)))`,
      'a core module imports from "a" and is not given it',
    ],
    [
      "a core export that is not there",
      `(component ${main} (alias core export $m "g" (core func)))`,
      'core-func "g" is taken from a core instance that has none',
    ],
    [
      "a function of another core type",
      `(component ${main} (func (export "f") (param "a" u64) (canon lift (core func $m "f"))))`,
      'core function "f" is (i32) -> (i32), lifting it needs (i64) -> ()',
    ],
    [
      "text without a memory",
      `(component ${main} (func (export "f") (param "a" string) (canon lift (core func $m "f"))))`,
      "a lifted function names no memory, which its type needs",
    ],
    [
      "text without a realloc",
      `(component ${main} (func (export "f") (param "a" string) (canon lift (core func $m "f") (memory (core memory $m "memory")))))`,
      "a lifted function names no realloc, which its parameters need",
    ],
    [
      "a lowered function without a memory",
      `(component (import "f" (func $f (param "a" string))) (core func (canon lower (func $f))))`,
      "a lowered function names no memory, which its type needs",
    ],
    [
      "a nested component without what it imports",
      `(component (component $C (import "x" (func))) (instance (instantiate $C)))`,
      'a nested component imports func "x" and does not get it',
    ],
    [
      "a borrowed result",
      `(component (import "r" (type $r (sub resource))) (type (func (result (borrow $r)))))`,
      "a function returns a borrowed handle",
    ],
    [
      "a type where a function's must be",
      `(component (type $t u8) (import "f" (func (type $t))))`,
      "type 0 is used as a function's, but is none",
    ],
    [
      "a type that is no resource",
      `(component (type $t u8) (type (own $t)))`,
      "type 0 is used as a resource, but is none",
    ],
    [
      "a function type as a value",
      `(component (type $t (func)) (type (list $t)))`,
      "type 0 is used as a value's, but is none",
    ],
    [
      "an instance of a type that is none of one",
      `(component (type $t u8) (import "i" (instance (type $t))))`,
      'import "i" is an instance, but type 0 is none of one',
    ],
    [
      "two exports of one name",
      `(component (type $t u8) (export "t" (type $t)) (export "t" (type $t)))`,
      'a component exports "t" twice',
    ],
    [
      "two declarations of one name",
      `(component (import "i" (instance (export "f" (func)) (export "f" (func)))))`,
      'interface "i" has "f" twice',
    ],
    [
      "two cases of one name",
      `(component (type (variant (case "a") (case "A"))))`,
      "a type has two parts of the same name (before byte 21)",
    ],
    [
      "a part with a name that is none",
      `(component (type (enum "a b")))`,
      '"a b" is no name for a part of a type (before byte 17)',
    ],
    [
      "a lowered function that cleans up",
      `(component ${main} (import "f" (func $f)) (core func (canon lower (func $f) (post-return (core func $m "f")))))`,
      "a lowered function has a post-return",
    ],
    [
      "a lowered function whose result needs room",
      `(component ${main} (import "f" (func $f (result string))) (core func (canon lower (func $f) (memory (core memory $m "memory")))))`,
      "a lowered function names no realloc, which its result needs",
    ],
    [
      "an alias of what an instance has not",
      `(component (import "i" (instance $i)) (alias export $i "f" (func)))`,
      'an alias takes func "f" from an instance that has none',
    ],
    [
      "an index that is not there",
      `(component (export "f" (func 0)))`,
      "func 0 is referred to, but not defined before",
    ],
  ])("is refused: %s", async (_, wat, problem) => {
    await expect(refusal(wat)).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: `Cannot read module: ${problem}`,
    });
  });

  it("is a core module", () => {
    expect(() => planFromBytes(wasmFromWat("(module)"))).toThrow("it is a core module where a component must be");
  });
});

describe("components that would grow without bound", () => {
  it("are refused when they instantiate each other exponentially", async () => {
    const doubling = (levels: number): string =>
      Array.from(
        { length: levels },
        (_, level) => `(component $c${level + 1} (alias outer 1 $c${level} (component $inner))
          (instance (instantiate $inner)) (instance (instantiate $inner)))`,
      ).join("\n");
    const wat = (levels: number): string =>
      `(component (component $c0) ${doubling(levels)} (instance (instantiate $c${levels})))`;
    planFromBytes(await componentFromWat(wat(10)));
    await expect(refusal(wat(40))).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: expect.stringContaining("instantiating it takes more than 300000 definitions"),
    });
  });

  it("are refused when they make too many core instances", async () => {
    const wat = (count: number): string =>
      `(component (core module $M) ${`(core instance (instantiate $M))`.repeat(count)})`;
    planFromBytes(await componentFromWat(wat(1_000)));
    await expect(refusal(wat(1_001))).rejects.toThrow("it makes more than 1000 core instances");
  });

  it("are refused when a type doubles again and again", async () => {
    const wat = (levels: number): string =>
      `(component (type $t0 (tuple u64 u64)) ${Array.from({ length: levels }, (_, n) => `(type $t${n + 1} (tuple $t${n} $t${n}))`).join(" ")})`;
    planFromBytes(await componentFromWat(wat(23)));
    await expect(refusal(wat(24))).rejects.toThrow("values of a type take 268435456 bytes");
  });

  it("are refused when a type is too deep", async () => {
    const wat = (levels: number): string =>
      `(component (type $t0 (list u8)) ${Array.from({ length: levels }, (_, n) => `(type $t${n + 1} (list $t${n}))`).join(" ")})`;
    planFromBytes(await componentFromWat(wat(98)));
    await expect(refusal(wat(99))).rejects.toThrow("a type has more than 100 types inside each other");
  });

  it("are refused when they are nested too deep", async () => {
    const wat = (levels: number): string => `${"(component ".repeat(levels + 1)}${")".repeat(levels + 1)}`;
    planFromBytes(await componentFromWat(wat(16)));
    await expect(refusal(wat(17))).rejects.toThrow("components are nested more than 16 deep");
  });

  it("are refused when they have too many definitions", async () => {
    const wat = (count: number): string => `(component ${"(type u8)".repeat(count)})`;
    planFromBytes(await componentFromWat(wat(10_000)));
    await expect(refusal(wat(100_000))).rejects.toThrow("it has more than 100000 definitions");
  });
});
