import { describe, expect, it } from "vitest";
import { createHost } from "../../../src/runtime/host/create-host.ts";
import type { ComponentPlan, WitType } from "../../../src/runtime/component/component-plan.ts";
import type { GuestLine } from "../../../src/runtime/host/guest-line.ts";
import { getManyShapeOf } from "../../../src/runtime/host/get-many-shape.ts";
import { callHost, okOf } from "./host-calls.ts";
import { memoryLine } from "./memory-line.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const OK = { tag: "ok", val: undefined };
const DENIED = { tag: "err", val: { tag: "access-denied", val: undefined } };
const other = (text: string): object => ({ tag: "err", val: { tag: "other", val: expect.stringContaining(text) } });

/** Calls one draft's functions, as `store#open`. */
function draft(version: "" | "@0.2.0-draft2", line: GuestLine = memoryLine(), options = {}) {
  const { interfaces } = createHost(line, options);
  return async (name: string, ...args: readonly unknown[]): Promise<unknown> => {
    const [interfaceName = "", item = ""] = name.split("#");
    return callHost(interfaces, `wasi:keyvalue/${interfaceName}${version}#${item}`, ...args);
  };
}

describe.each(["", "@0.2.0-draft2"] as const)("wasi:keyvalue%s", (version) => {
  it("keeps values", async () => {
    const kv = draft(version);
    const bucket = okOf(await kv("store#open", "b"));
    expect(await kv("store#[method]bucket.set", bucket, "k", bytes("v"))).toEqual(OK);
    expect(await kv("store#[method]bucket.get", bucket, "k")).toEqual({ tag: "ok", val: bytes("v") });
    expect(await kv("store#[method]bucket.exists", bucket, "k")).toEqual({ tag: "ok", val: true });
    expect(await kv("store#[method]bucket.delete", bucket, "k")).toEqual(OK);
    expect(await kv("store#[method]bucket.get", bucket, "k")).toEqual({ tag: "ok", val: undefined });
  });

  it("says access-denied for what is not granted, and does what is", async () => {
    const kv = draft(version, memoryLine({ buckets: ["mine"] }));
    expect(await kv("store#open", "yours")).toEqual(DENIED);
    const mine = okOf(await kv("store#open", "mine"));
    const yours = { name: "yours" };
    expect(await kv("store#[method]bucket.get", mine, "k")).toEqual({ tag: "ok", val: undefined });
    expect(await kv("store#[method]bucket.get", yours, "k")).toEqual(DENIED);
    expect(await kv("store#[method]bucket.set", yours, "k", bytes("v"))).toEqual(DENIED);
    expect(await kv("store#[method]bucket.list-keys", yours, undefined)).toEqual(DENIED);
    expect(await kv("atomics#increment", yours, "k", 1n)).toEqual(DENIED);
    expect(await kv("batch#get-many", yours, ["k"])).toEqual(DENIED);
    expect(await kv("batch#set-many", yours, [["k", bytes("v")]])).toEqual(DENIED);
    expect(await kv("batch#delete-many", yours, ["k"])).toEqual(DENIED);
  });

  it("tells why the store refuses", async () => {
    const kv = draft(version);
    expect(await kv("store#open", "")).toEqual(other("its name is empty"));
    expect(await kv("store#open", "x".repeat(2_000))).toEqual(other("2000 characters"));
  });

  it("does batches", async () => {
    const kv = draft(version);
    const bucket = okOf(await kv("store#open", "b"));
    expect(
      await kv("batch#set-many", bucket, [
        ["1", bytes("a")],
        ["2", bytes("b")],
      ]),
    ).toEqual(OK);
    expect(await kv("batch#get-many", bucket, ["2", "x", "1"])).toEqual({
      tag: "ok",
      val: [["2", bytes("b")], undefined, ["1", bytes("a")]],
    });
    expect(await kv("batch#delete-many", bucket, ["1"])).toEqual(OK);
    expect(await kv("store#[method]bucket.exists", bucket, "1")).toEqual({ tag: "ok", val: false });
  });

  it("lists all keys, page by page", async () => {
    const line = memoryLine();
    const kv = draft(version, line);
    const bucket = okOf(await kv("store#open", "b"));
    const keys = Array.from({ length: 1_500 }, (_, index) => String(index).padStart(4, "0"));
    for (let from = 0; from < keys.length; from += 250)
      await line.store.setMany(
        "b",
        keys.slice(from, from + 250).map((key) => [key, new Uint8Array()]),
      );
    const seen: string[] = [];
    let cursor: unknown;
    do {
      const page = okOf(await kv("store#[method]bucket.list-keys", bucket, cursor)) as {
        keys: string[];
        cursor: unknown;
      };
      seen.push(...page.keys);
      cursor = page.cursor;
      if (cursor !== undefined) expect(typeof cursor).toBe(version === "" ? "bigint" : "string");
    } while (cursor !== undefined);
    expect(seen).toEqual(keys);
  });
});

describe("wasi:keyvalue 0.2.0-draft", () => {
  it("counts within u64, and refuses what does not fit instead of wrapping", async () => {
    const line = memoryLine();
    const kv = draft("", line);
    const bucket = okOf(await kv("store#open", "b"));
    expect(await kv("atomics#increment", bucket, "n", 5n)).toEqual({ tag: "ok", val: 5n });
    expect(await kv("atomics#increment", bucket, "n", 2n ** 63n)).toEqual(other("63 bits"));
    await line.store.set("b", "n", bytes("-9"));
    expect(await kv("atomics#increment", bucket, "n", 1n)).toEqual(other("no u64"));
  });

  it("knows only cursors that it gave, and not too old ones", async () => {
    const line = memoryLine();
    const kv = draft("", line);
    const bucket = okOf(await kv("store#open", "b"));
    const keys = Array.from({ length: 1_100 }, (_, index) => String(index));
    for (let from = 0; from < keys.length; from += 250)
      await line.store.setMany(
        "b",
        keys.slice(from, from + 250).map((key) => [key, new Uint8Array()]),
      );
    expect(await kv("store#[method]bucket.list-keys", bucket, 1n)).toEqual(other("unknown"));
    for (let count = 0; count < 300; count += 1) await kv("store#[method]bucket.list-keys", bucket, undefined);
    expect(await kv("store#[method]bucket.list-keys", bucket, 1n)).toEqual(other("unknown"));
    expect(await kv("store#[method]bucket.list-keys", bucket, 300n)).toMatchObject({ tag: "ok" });
  });
});

describe("wasi:keyvalue 0.2.0-draft2", () => {
  it("counts below zero", async () => {
    const kv = draft("@0.2.0-draft2");
    const bucket = okOf(await kv("store#open", "b"));
    expect(await kv("atomics#increment", bucket, "n", -3n)).toEqual({ tag: "ok", val: -3n });
  });

  it("swaps what has not changed, and otherwise gives a handle for the next try", async () => {
    const line = memoryLine();
    const kv = draft("@0.2.0-draft2", line);
    const bucket = okOf(await kv("store#open", "b"));
    const first = okOf(await kv("atomics#[static]cas.new", bucket, "k"));
    expect(await kv("atomics#[method]cas.current", first)).toEqual({ tag: "ok", val: undefined });
    await line.store.set("b", "k", bytes("theirs"));
    const failed = (await kv("atomics#swap", first, bytes("mine"))) as {
      tag: "err";
      val: { tag: string; val: unknown };
    };
    expect(failed.val.tag).toBe("cas-failed");
    expect(await kv("atomics#[method]cas.current", failed.val.val)).toEqual({ tag: "ok", val: bytes("theirs") });
    expect(await kv("atomics#swap", failed.val.val, bytes("mine"))).toEqual(OK);
    expect(await line.store.get("b", "k")).toEqual(bytes("mine"));
  });

  it("says what the store refuses of a swap", async () => {
    const kv = draft("@0.2.0-draft2", memoryLine({ buckets: ["mine"] }));
    expect(await kv("atomics#[static]cas.new", { name: "yours" }, "k")).toEqual(DENIED);
    expect(await kv("atomics#swap", { bucket: "yours", key: "k", current: undefined }, bytes("v"))).toEqual({
      tag: "err",
      val: { tag: "store-error", val: { tag: "access-denied", val: undefined } },
    });
  });

  it("gives pairs with an option to components that declare it so", async () => {
    const kv = draft("@0.2.0-draft2", memoryLine(), { draft2GetMany: "pair-of-option" });
    const bucket = okOf(await kv("store#open", "b"));
    await kv("store#[method]bucket.set", bucket, "1", bytes("a"));
    expect(await kv("batch#get-many", bucket, ["1", "x"])).toEqual({
      tag: "ok",
      val: [
        ["1", bytes("a")],
        ["x", undefined],
      ],
    });
  });
});

describe("the shape of get-many", () => {
  const planWith = (
    element: WitType,
    version = "0.2.0-draft2",
  ): Pick<ComponentPlan, "hostFunctions" | "functionTypes" | "types"> => ({
    types: [{ kind: "string" }, element, { kind: "list", element: 1 }, { kind: "result", ok: 2, err: 0 }],
    functionTypes: [{ params: [], result: 3 }],
    hostFunctions: [{ interface: `wasi:keyvalue/batch@${version}`, name: "get-many", type: 0, isUsed: true }],
  });

  it("is read from the type that the component declares", () => {
    expect(getManyShapeOf(planWith({ kind: "tuple", items: [0, 0] }))).toBe("pair-of-option");
    expect(getManyShapeOf(planWith({ kind: "option", some: 0 }))).toBe("option-of-pair");
    expect(getManyShapeOf(planWith({ kind: "tuple", items: [0, 0] }, "0.2.0-draft"))).toBe("option-of-pair");
    expect(getManyShapeOf({ types: [], functionTypes: [], hostFunctions: [] })).toBe("option-of-pair");
  });
});
