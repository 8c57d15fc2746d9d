/** A component that passes what it is given to its host, and what the host answers back to its caller: every value crosses four times. */
import { type TypeTree, watFromType } from "./arbitrary-type.ts";

/** How values of a type are passed; worked out here once more, by the rules of the canonical ABI. */
export function flatTypes(type: TypeTree): string[] {
  switch (type.kind) {
    case "s64":
    case "u64":
      return ["i64"];
    case "f32":
    case "f64":
      return [type.kind];
    case "string":
    case "list":
      return ["i32", "i32"];
    case "record":
      return type.fields.flatMap(flatTypes);
    case "tuple":
      return type.items.flatMap(flatTypes);
    case "variant":
      return flatCases(type.cases);
    case "option":
      return flatCases([undefined, type.some]);
    case "result":
      return flatCases([type.ok, type.err]);
    default:
      return ["i32"];
  }
}

/** `echo: func(x: T) -> T` and `peek: func(from: u32, length: u32) -> list<u8>`, by way of the host's `test:echo/host#echo`. */
export function echoWat(type: TypeTree, encoding = "utf8"): string {
  const { lines, use } = watFromType(type);
  const flat = flatTypes(type);
  const params = flat.length > 16 ? ["i32"] : flat;
  const isReturned = flat.length === 1;
  const options = `(memory (core memory $memory "memory")) (realloc (core func $memory "realloc")) string-encoding=${encoding}`;
  const given = params.map((_, index) => `(local.get ${index})`).join(" ");
  const returned = isReturned ? (flat[0] ?? "i32") : "i32";
  return `(component
    (import "test:echo/host" (instance $host
      ${lines.join("\n      ")}
      (export "echo" (func (param "x" ${use}) (result ${use})))))
    ${use.startsWith("$") ? `(alias export $host "${use.slice(1)}" (type ${use}))` : ""}
    (core module $Memory
      (memory (export "memory") 2)
      (global $end (mut i32) (i32.const 65536))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        ;; As C's and Rust's allocators do for nothing.
        (if (i32.eqz (local.get 3)) (then (return (local.get 2))))
        (local.set $at (i32.and (i32.add (global.get $end) (i32.sub (local.get 2) (i32.const 1))) (i32.sub (i32.const 0) (local.get 2))))
        (global.set $end (i32.add (local.get $at) (local.get 3)))
        (block $fits
          (br_if $fits (i32.le_u (global.get $end) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))) (i32.const -1)) (then unreachable)))
        (local.get $at)))
    (core instance $memory (instantiate $Memory))
    (core func $echo (canon lower (func $host "echo") ${options}))
    (core module $Echo
      (import "host" "echo" (func $echo (param ${[...params, ...(isReturned ? [] : ["i32"])].join(" ")}) ${isReturned ? `(result ${returned})` : ""}))
      (import "memory" "memory" (memory 1))
      (func (export "echo") (param ${params.join(" ")}) (result ${returned})
        (call $echo ${given} ${isReturned ? "" : "(i32.const 1024)"}) ${isReturned ? "" : "(i32.const 1024)"})
      (func (export "peek") (param i32 i32) (result i32)
        (i32.store (i32.const 512) (local.get 0))
        (i32.store (i32.const 516) (local.get 1))
        (i32.const 512)))
    (core instance $main (instantiate $Echo
      (with "host" (instance (export "echo" (func $echo))))
      (with "memory" (instance $memory))))
    (func $out (param "x" ${use}) (result ${use}) (canon lift (core func $main "echo") ${options}))
    (func $peek (param "from" u32) (param "length" u32) (result (list u8)) (canon lift (core func $main "peek") ${options}))
    (instance $exports (export "echo" (func $out)) (export "peek" (func $peek)))
    (export "test:echo/guest" (instance $exports)))`;
}

function flatCases(cases: readonly (TypeTree | undefined)[]): string[] {
  const joined: string[] = [];
  for (const item of cases)
    for (const [index, type] of (item === undefined ? [] : flatTypes(item)).entries()) {
      const before = joined[index] ?? type;
      const isNarrow = [before, type].every((each) => each === "i32" || each === "f32");
      joined[index] = before === type ? type : isNarrow ? "i32" : "i64";
    }
  return ["i32", ...joined];
}
