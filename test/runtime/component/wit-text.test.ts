import { readFile } from "node:fs/promises";
import { componentEmbed } from "@bytecodealliance/jco-transpile/wasm-tools";
import { describe, expect, it } from "vitest";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { exportedFunctionTexts, worldText } from "../../../src/runtime/component/wit-text.ts";
import { componentFromWat } from "./component-guest.ts";

const SHOP = `(component
  (import "acme:base/money@1.2.0" (instance $money
    (type $c (enum "eur" "usd")) (export "currency" (type $cc (eq $c)))
    (type $a (record (field "type" $cc) (field "cents" u64))) (export "amount" (type (eq $a)))
    (export "account" (type $acc (sub resource)))
    (export "[constructor]account" (func (param "owner" string) (result (own $acc))))
    (export "[method]account.balance" (func (param "self" (borrow $acc)) (result (result $cc (error string)))))
    (export "[static]account.merge" (func (param "a" (own $acc)) (param "b" (borrow $acc)) (result (own $acc))))))
  (alias export $money "amount" (type $amount))
  (alias export $money "account" (type $account))
  (import "acme:base/shop" (instance
    (alias outer 1 $amount (type $a)) (export "price" (type $p (eq $a)))
    (alias outer 1 $account (type $r)) (export "account" (type (eq $r)))
    (type $v (variant (case "free") (case "paid" $p))) (export "deal" (type $d (eq $v)))
    (export "buy" (func (param "what" (list (tuple string (option $d)))) (param "from" (borrow $r)) (result (result))))))
  (import "log" (func (param "line" string)))
  (core module $M (func (export "f") (param i32 i32) (result i32) (i32.const 0)) (func (export "g")))
  (core instance $m (instantiate $M))
  (type $k (flags "a" "b"))
  (export $kk "kinds" (type $k))
  (func (export "add") (param "a" u32) (param "b" $kk) (result s32) (canon lift (core func $m "f")))
  (func $g (canon lift (core func $m "g")))
  (instance $ops (export "reset" (func $g)))
  (export "acme:calc/ops@0.1.0" (instance $ops))
  (export "plain" (instance $ops)))`;

describe("the world of a component as text", () => {
  it("shows what it imports and exports, by package", async () => {
    const { plan } = planFromBytes(await componentFromWat(SHOP));
    expect(worldText(plan)).toBe(`package root:component;

world root {
  import log: func(line: string);
  import acme:base/money@1.2.0;
  import acme:base/shop;
  flags kinds { a, b }
  export add: func(a: u32, b: kinds) -> s32;
  export acme:calc/ops@0.1.0;
  export plain: interface {
    reset: func();
  }
}

package acme:base@1.2.0 {
  interface money {
    enum currency { eur, usd }
    record amount { %type: currency, cents: u64 }
    resource account {
      constructor(owner: string);
      balance: func() -> result<currency, string>;
      merge: static func(a: account, b: borrow<account>) -> account;
    }
  }
}

package acme:base {
  interface shop {
    use acme:base/money@1.2.0.{amount as price};
    use acme:base/money@1.2.0.{account};
    variant deal { free, paid(price) }
    buy: func(what: list<tuple<string, option<deal>>>, %from: borrow<account>) -> result;
  }
}

package acme:calc@0.1.0 {
  interface ops {
    reset: func();
  }
}
`);
  });

  it("is WIT that other tools read", async () => {
    for (const name of ["../guests/probe.wasm", "../../../examples/http-counter/http-counter.wasm"]) {
      const { plan } = planFromBytes(new Uint8Array(await readFile(new URL(name, import.meta.url))));
      const embedded = await componentEmbed({ dummy: true, witSource: worldText(plan), world: "root" });
      expect(embedded.length).toBeGreaterThan(0);
    }
  });

  it("stays short for types that repeat each other without end", async () => {
    const levels = Array.from({ length: 18 }, (_, n) => `(type $t${n + 1} (tuple $t${n} $t${n}))`).join(" ");
    const exports = Array.from({ length: 500 }, (_, n) => `(export "t${n}" (type (eq $t18)))`).join(" ");
    const { plan } = planFromBytes(
      await componentFromWat(`(component (import "a:b/c" (instance (type $t0 (tuple u64)) ${levels} ${exports})))`),
    );
    expect(worldText(plan).length).toBeLessThan(3_000_000);
  });
});

it("functions that can be called are named as callers name them, with their types", async () => {
  const { plan } = planFromBytes(await componentFromWat(SHOP));
  expect(exportedFunctionTexts(plan)).toEqual([
    { name: "add", type: "func(a: u32, b: kinds) -> s32" },
    { name: "acme:calc/ops@0.1.0#reset", type: "func()" },
    { name: "plain#reset", type: "func()" },
  ]);
});
