import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { describe, expect, test } from "vitest";
import { withoutWasiPackages } from "../../../src/cli/inspect/shown-world.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { worldText } from "../../../src/runtime/component/wit-text.ts";

/** A component without any code that has the world `root` of some WIT, by the reference tools. */
async function componentOf(witSource: string): Promise<Uint8Array> {
  const embedded = await componentEmbed({ dummy: true, witSource });
  return componentNew(new Uint8Array(embedded));
}

async function witOf(witSource: string): Promise<string> {
  return worldText(planFromBytes(await componentOf(witSource)).plan);
}

const SHOP = `package root:component;

world root {
  import example:base/types@1.2.0;
  import example:shop/stock@1.2.0;
  import log: func(text: string);
  import plain: interface {
    ping: func() -> u8;
  }
  export version: func() -> tuple<u32, u32>;
  export example:shop/cart@1.2.0;
}

package example:base@1.2.0 {
  interface types {
    record item {
      sku: string,
      price: f64,
      %type: option<s64>,
    }
    enum colour {
      red,
      green,
    }
    flags marks {
      a,
      b,
    }
    variant shape {
      circle(f32),
      none,
      named(list<char>),
    }
    get-shape: func(it: item, of: colour, with-marks: marks) -> shape;
  }
}

package example:shop@1.2.0 {
  interface stock {
    use example:base/types@1.2.0.{item};
    resource shelf {
      constructor(name: string);
      put: func(it: item) -> result<_, string>;
      take: func(sku: string) -> option<item>;
      open: static func(name: string) -> result<shelf>;
      lend: func(other: borrow<shelf>) -> result;
    }
    merge: func(a: shelf, b: shelf) -> result<shelf, option<u16>>;
  }
  interface cart {
    use example:base/types@1.2.0.{item};
    total: func(items: list<item>, factors: list<tuple<s8, bool>>) -> result<f64, string>;
    %list: func() -> list<u8>;
  }
}
`;

describe("the world of a component as WIT", () => {
  test("is WIT that the reference tools read back as the same world", async () => {
    const wit = await witOf(SHOP);
    expect(wit).toContain("constructor(name: string);");
    expect(wit).toContain("open: static func(name: string) -> result<shelf>;");
    expect(wit).toContain("lend: func(other: borrow<shelf>) -> result;");
    expect(await witOf(wit)).toBe(wit);
  });

  test("says all that the world says", async () => {
    const wit = await witOf(SHOP);
    // What nobody uses is not in a component.
    const words = (text: string): string[] => text.match(/[%\w-]+|[<>(){}:;@.]/g) ?? [];
    expect(words(wit).toSorted()).toEqual(words(SHOP).toSorted());
  });

  test("leaves the text of wasi: interfaces out, but not their names", async () => {
    const wit = withoutWasiPackages(
      await witOf(`package root:component;
      world root { import wasi:x/y@0.2.0; export run: func(); }
      package wasi:x@0.2.0 { interface y { f: func() -> u32; } }`),
    );
    expect(wit).toContain("import wasi:x/y@0.2.0;");
    expect(wit).not.toContain("u32");
  });
});
