import { describe, expect, it } from "vitest";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { worldText } from "../../../src/runtime/component/wit-text.ts";
import { call, componentFromWat, instanceFromWat } from "./component-guest.ts";

/** A component whose function passes one value through memory and back: \`type\` takes one i32 address at its host and its caller. */
function throughMemory(type: string, flat: string, store: string): string {
  return `(component
    (core module $M
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256))
      (func (export "f") (param ${flat}) (result i32) ${store} (i32.const 16)))
    (core instance $m (instantiate $M))
    (func (export "f") (param "x" ${type}) (result ${type})
      (canon lift (core func $m "f") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))`;
}

describe("types that are seldom used", () => {
  it("include lists of a fixed length, passed one by one or in memory", async () => {
    const small = await instanceFromWat(
      throughMemory(
        "(list u16 3)",
        "i32 i32 i32",
        [0, 1, 2].map((n) => `(i32.store16 (i32.const ${16 + n * 2}) (local.get ${n}))`).join(" "),
      ),
    );
    expect(call(small, "f", [1, 2, 65_535])).toEqual([1, 2, 65_535]);
    const bytes = await instanceFromWat(
      throughMemory(
        "(list u8 2)",
        "i32 i32",
        "(i32.store8 (i32.const 16) (local.get 0)) (i32.store8 (i32.const 17) (local.get 1))",
      ),
    );
    expect(call(bytes, "f", Uint8Array.of(7, 8))).toEqual(Uint8Array.of(7, 8));
    expect(() => call(bytes, "f", Uint8Array.of(7))).toThrow("a list of 2 elements has 1");
    const large = await instanceFromWat(
      throughMemory("(list u8 40)", "i32", "(memory.copy (i32.const 16) (local.get 0) (i32.const 40))"),
    );
    const forty = Uint8Array.from({ length: 40 }, (_, n) => n);
    expect(call(large, "f", forty)).toEqual(forty);
  });

  it("include maps, which are lists of pairs", async () => {
    const guest = await instanceFromWat(
      throughMemory(
        "(map u32 u32)",
        "i32 i32",
        "(i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))",
      ),
    );
    expect(
      call(guest, "f", [
        [1, 10],
        [2, 20],
      ]),
    ).toEqual([
      [1, 10],
      [2, 20],
    ]);
  });

  it.each([
    ["three", "a value for list is string"],
    [[1, "two"], "a value for u32 is string"],
  ])("are not what %j is", async (value, problem) => {
    const guest = await instanceFromWat(
      throughMemory(
        "(list u32)",
        "i32 i32",
        "(i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))",
      ),
    );
    expect(() => call(guest, "f", value)).toThrow(problem);
  });

  it.each([
    ["bool", 1, "a value for bool is number"],
    ["char", "ab", "a value for char is string"],
    ["u64", 1, "a value for u64 is number"],
    ["string", 1, "a value for string is number"],
    ["(list u8)", [1], "a value for list<u8> is [object Array]"],
    ['(record (field "a" u8))', null, "a value for record is null"],
    ["(tuple u8 u8)", [1], "a value for a tuple of 2 is [object Array]"],
    ['(variant (case "a"))', { tag: "b" }, "a value for a variant of a is string"],
    ['(enum "a")', "toString", "a value for an enum of a is string"],
    ['(flags "a")', ["b"], "a value for flags (a) is string"],
    ["(option (option u8))", 1, "a value for an option of an option is number"],
  ])("are refused by name when a host's value is none: %s", async (type, value, problem) => {
    const options = `(memory (core memory $m "memory")) (realloc (core func $m "realloc"))`;
    const guest = await instanceFromWat(
      `(component
        (import "host" (instance $h (export "give" (func (result (tuple ${type} string))))))
        (core module $Memory (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256)))
        (core instance $m (instantiate $Memory))
        (core func $give (canon lower (func $h "give") ${options}))
        (core module $M (import "h" "give" (func $give (param i32))) (func (export "f") (call $give (i32.const 16))))
        (core instance $main (instantiate $M (with "h" (instance (export "give" (func $give))))))
        (func (export "f") (canon lift (core func $main "f"))))`,
      { host: { functions: { give: () => [value, ""] } } },
    );
    expect(() => call(guest, "f")).toThrow(new TypeError(problem));
  });

  it("include handles inside lists", async () => {
    const dropped: string[] = [];
    const guest = await instanceFromWat(
      `(component
        (import "host" (instance $h
          (export "r" (type $r (sub resource)))
          (export "all" (func (result (list (own $r)))))
          (export "join" (func (param "all" (list (borrow $r))) (result u32)))))
        (alias export $h "r" (type $r))
        (core module $Memory (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256)))
        (core instance $m (instantiate $Memory))
        (core func $all (canon lower (func $h "all") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
        (core func $join (canon lower (func $h "join") (memory (core memory $m "memory"))))
        (core func $drop (canon resource.drop $r))
        (core module $M
          (import "h" "all" (func $all (param i32))) (import "h" "join" (func $join (param i32 i32) (result i32)))
          (import "h" "drop" (func $drop (param i32))) (import "m" "memory" (memory 1))
          (func (export "f") (result i32) (local $n i32)
            (call $all (i32.const 16))
            (local.set $n (call $join (i32.load (i32.const 16)) (i32.load (i32.const 20))))
            (call $drop (i32.load (i32.load (i32.const 16))))
            (local.get $n)))
        (core instance $main (instantiate $M (with "m" (instance $m)) (with "h" (instance
          (export "all" (func $all)) (export "join" (func $join)) (export "drop" (func $drop))))))
        (func (export "f") (result u32) (canon lift (core func $main "f"))))`,
      {
        host: {
          functions: { all: () => ["a", "b", "c"], join: (all: readonly string[]) => all.join("").length },
          resources: { r: { drop: (object: string) => void dropped.push(object) } },
        },
      },
    );
    expect(call(guest, "f")).toBe(3);
    expect(dropped).toEqual(["a"]);
    expect(guest.openHandles).toBe(2);
  });
});

it("a guest's memory may grow at any time: while it runs, and while it allocates for its host", async () => {
  const options = `(memory (core memory $m "memory")) (realloc (core func $m "realloc"))`;
  const guest = await instanceFromWat(
    `(component
      (import "host" (instance $h (export "echo" (func (param "s" string) (result string)))))
      (core module $Memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (i32.mul (memory.grow (i32.const 1)) (i32.const 65536))))
      (core instance $m (instantiate $Memory))
      (core func $echo (canon lower (func $h "echo") ${options}))
      (core module $M
        (import "m" "memory" (memory 1)) (import "h" "echo" (func $echo (param i32 i32 i32)))
        (func (export "f") (param i32 i32) (result i32)
          (drop (memory.grow (i32.const 1)))
          (call $echo (local.get 0) (local.get 1) (i32.const 16))
          (drop (memory.grow (i32.const 1)))
          (i32.const 16)))
      (core instance $main (instantiate $M (with "m" (instance $m)) (with "h" (instance (export "echo" (func $echo))))))
      (func (export "f") (param "s" string) (result string) (canon lift (core func $main "f") ${options})))`,
    { host: { functions: { echo: (s: string) => `${s}!` } } },
  );
  for (const text of ["one", "two", "three".repeat(100)]) expect(call(guest, "f", text)).toBe(`${text}!`);
});

describe("parts of components that nothing here needs", () => {
  it("are passed over: core types, component types, custom sections", async () => {
    const bytes = await componentFromWat(`(component
      (core type $f (func (param i32) (result i64)))
      (core type $m (module (type (func)) (import "a" "b" (func (type 0))) (import "a" "t" (table 1 funcref))
        (import "a" "m" (memory 1 2)) (import "a" "g" (global (mut i32))) (export "e" (memory 1))))
      (type (component
        (core type (func))
        (core type (module (alias outer 1 0 (type)) (export "f" (func (type 0)))))
        (import "a" (func)) (export "b" (type (sub resource)))))
      (type (instance (core type (func)) (type u8) (type (instance)) (export "x" (instance (type 1)))))
      (@custom "note" "text"))`);
    expect(planFromBytes(bytes).plan.steps).toEqual([]);
  });

  it("do not hide an interface behind a plain name that says what it implements", async () => {
    const bytes = await componentFromWat(
      `(component (import "primary" (implements "wasi:keyvalue/store@0.2.0-draft") (instance $i (export "f" (func)))) (core func (canon lower (func $i "f"))))`,
    );
    const { plan } = planFromBytes(bytes);
    expect(plan.hostFunctions).toEqual([
      { interface: "wasi:keyvalue/store@0.2.0-draft", name: "f", type: 0, isUsed: true },
    ]);
    expect(worldText(plan)).toContain("import primary: interface {");
  });
});
