import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { ABI_ERROR } from "../../../src/runtime/abi/abi-error.ts";
import { abiNumbers, CORE_ABI_SIGNATURES, CORE_ABI_SUSPENDING } from "../../../src/runtime/abi/abi-signatures.ts";
import { assertCoreAbiFits, createCoreAbi } from "../../../src/runtime/abi/core-abi.ts";
import { TEXT_MAX_BYTES } from "../../../src/runtime/abi/guest-memory.ts";
import { coreModuleFromBytes } from "../../../src/runtime/core-module.ts";
import { wasmFromWat } from "../wat.ts";
import { abiLine } from "./abi-line.ts";
import { abiModule } from "./abi-module.ts";

const OUT = [50_000, 1_000] as const;

describe("key-value functions", () => {
  it("set, get, exist, delete", async () => {
    const { line, kv } = abiLine();
    const module = await abiModule(line);
    const [bucket, key, value] = [
      module.put(0, "default"),
      module.put(100, "clé"),
      module.put(200, Uint8Array.of(1, 0, 255)),
    ];
    expect(await module.call("kv_exists", ...bucket, ...key)).toBe(0);
    expect(await module.call("kv_get", ...bucket, ...key, ...OUT)).toBe(ABI_ERROR.none);
    expect(await module.call("kv_set", ...bucket, ...key, ...value)).toBe(0);
    expect(await kv.get("default", "clé")).toEqual(Uint8Array.of(1, 0, 255));
    expect(await module.call("kv_exists", ...bucket, ...key)).toBe(1);
    expect(await module.call("kv_get", ...bucket, ...key, ...OUT)).toBe(3);
    expect(module.text(50_000, 3)).toBe("\u0001\u0000\u00ff");
    expect(await module.call("kv_delete", ...bucket, ...key)).toBe(0);
    expect(await kv.get("default", "clé")).toBeUndefined();
  });

  it("increments by positive and negative numbers of 64 bits", async () => {
    const module = await abiModule(abiLine().line);
    const [bucket, key] = [module.put(0, "default"), module.put(100, "n")];
    const sum = (): bigint => new DataView(module.memory.buffer).getBigInt64(400, true);
    expect(await module.call("kv_increment", ...bucket, ...key, 2n ** 62n, 400)).toBe(0);
    expect(sum()).toBe(2n ** 62n);
    expect(await module.call("kv_increment", ...bucket, ...key, -(2n ** 62n) - 1n, 400)).toBe(0);
    expect(sum()).toBe(-1n);
    expect(await module.call("kv_increment", ...bucket, ...key, -(2n ** 63n), 400)).toBe(ABI_ERROR.failed);
    expect(await module.lastError()).toContain("64 bits");
    expect(sum()).toBe(-1n);
  });

  it("compare and swap, and leave what was there instead as the result", async () => {
    const { line, kv } = abiLine();
    const module = await abiModule(line);
    const [bucket, key, none] = [module.put(0, "default"), module.put(100, "k"), [0, 0] as const];
    const [one, two] = [module.put(200, "one"), module.put(300, "two")];
    const swap = (expected: readonly [number, number], isExpected: number, value: readonly [number, number]) =>
      module.call("kv_compare_and_swap", ...bucket, ...key, ...expected, isExpected, ...value);
    expect(await swap(none, 0, one)).toBe(1);
    expect(await swap(none, 0, two)).toBe(0);
    expect(await module.call("result_read", 0, ...OUT)).toBe(3);
    expect(module.text(50_000, 3)).toBe("one");
    expect(await swap(none, 1, two)).toBe(0);
    expect(await swap(one, 1, two)).toBe(1);
    expect(await module.call("result_read", 0, ...OUT)).toBe(0);
    expect(Buffer.from((await kv.get("default", "k")) ?? []).toString()).toBe("two");
    await kv.delete("default", "k");
    expect(await swap(one, 1, two)).toBe(0);
    expect(await module.call("result_read", 0, ...OUT)).toBe(0);
  });

  it("list keys in pages, each with its length before it", async () => {
    const { line, kv } = abiLine();
    for (let index = 0; index < 1_001; index += 1) await kv.set("default", `k\u0000${index}`, new Uint8Array());
    const module = await abiModule(line);
    const listed: string[] = [];
    let cursor = "";
    do {
      const bytes = Number(
        await module.call("kv_list_keys", ...module.put(0, "default"), ...module.put(100, cursor), 50_000, 50_000),
      );
      const texts: string[] = [];
      for (let at = 50_000; at < 50_000 + bytes;) {
        const length = new DataView(module.memory.buffer).getUint32(at, true);
        texts.push(module.text(at + 4, length));
        at += 4 + length;
      }
      cursor = texts.shift() ?? "";
      listed.push(...texts);
    } while (cursor !== "");
    expect(new Set(listed)).toEqual(new Set(Array.from({ length: 1_001 }, (_, index) => `k\u0000${index}`)));
    expect(listed).toHaveLength(1_001);
  });

  it("are refused without the permission, with the reason to read", async () => {
    const { line, kv } = abiLine({ isDenied: true });
    const module = await abiModule(line);
    const [bucket, key] = [module.put(0, "default"), module.put(100, "k")];
    expect(await module.call("kv_set", ...bucket, ...key, ...module.put(200, "v"))).toBe(ABI_ERROR.denied);
    expect(await module.lastError()).toBe("not granted");
    expect(await kv.get("default", "k")).toBeUndefined();
  });
});

describe("results", () => {
  it("longer than the room for them are not lost: the rest is read without repeating the call", async () => {
    const { line, kv } = abiLine();
    await kv.set("default", "k", Buffer.from("0123456789"));
    const module = await abiModule(line);
    expect(await module.call("kv_get", ...module.put(0, "default"), ...module.put(100, "k"), 50_000, 4)).toBe(10);
    expect(module.text(50_000, 5)).toBe("0123\u0000");
    expect(await module.call("result_read", 4, 50_004, 3)).toBe(6);
    expect(module.text(50_000, 8)).toBe("0123456\u0000");
    expect(await module.call("result_read", 10, ...OUT)).toBe(0);
    expect(await module.call("result_read", -1, ...OUT)).toBe(0);
  });

  it("go into memory that has grown meanwhile", async () => {
    const { line, kv } = abiLine();
    await kv.set("default", "k", Buffer.from("value"));
    const module = await abiModule(line);
    const place = [module.put(0, "default"), module.put(100, "k")].flat();
    const got = module.call("kv_get", ...place, ...OUT);
    module.memory.grow(1);
    expect(await got).toBe(5);
    expect(module.text(50_000, 5)).toBe("value");
  });
});

describe("messaging functions", () => {
  it("publish, and give the reply to a request", async () => {
    const calls: unknown[] = [];
    const module = await abiModule(
      abiLine({
        messaging: async (call) => {
          calls.push(call);
          return call.kind === "publish"
            ? { tag: "ok", val: { kind: "done" } }
            : {
                tag: "ok",
                val: { kind: "reply", message: { topic: "r", body: Buffer.from("pong"), replyTo: undefined } },
              };
        },
      }).line,
    );
    const [topic, body] = [module.put(0, "orders.new"), module.put(100, "ping")];
    expect(await module.call("publish", ...topic, ...body)).toBe(0);
    expect(await module.call("request", ...topic, ...body, 250, ...OUT)).toBe(4);
    expect(module.text(50_000, 4)).toBe("pong");
    const sent = { topic: "orders.new", body: new Uint8Array(Buffer.from("ping")) };
    expect(calls).toEqual([
      { kind: "publish", message: { ...sent, replyTo: undefined } },
      { kind: "request", ...sent, timeoutMs: 250 },
    ]);
  });

  it("are refused without the permission", async () => {
    const module = await abiModule(abiLine().line);
    expect(await module.call("publish", ...module.put(0, "t"), ...module.put(10, "b"))).toBe(ABI_ERROR.denied);
  });
});

describe("local functions", () => {
  it("log, configure, show the environment, tell the time, fill with randomness, sleep", async () => {
    const { line, logged, audited } = abiLine({ config: { colour: "blue" }, env: { HOME: "/root" } });
    const module = await abiModule(line);
    expect(await module.call("log", 3, ...module.put(0, "careful"))).toBe(0);
    expect(logged).toEqual(["warn careful"]);
    expect(await module.call("log", 6, ...module.put(0, "careful"))).toBe(ABI_ERROR.invalid);
    expect(await module.call("config_get", ...module.put(0, "colour"), ...OUT)).toBe(4);
    expect(module.text(50_000, 4)).toBe("blue");
    expect(await module.call("config_get", ...module.put(0, "size"), ...OUT)).toBe(ABI_ERROR.none);
    expect(await module.call("env_get", ...module.put(0, "HOME"), ...OUT)).toBe(5);
    expect(await module.call("env_get", ...module.put(0, "toString"), ...OUT)).toBe(ABI_ERROR.none);
    expect(audited).toEqual(["env:HOME used"]);
    expect(await module.call("clock_ms")).toBe(1_700_000_000_123n);
    expect(await module.call("random", 1_000, 70_000)).toBe(0);
    expect(new Set(module.text(1_000, 70_000))).toEqual(new Set(["\u0007"]));
    expect(module.text(71_000, 1)).toBe("\u0000");
    expect(await module.call("sleep_ms", 10)).toBe(0);
  });
});

describe("arguments", () => {
  it("outside of the memory are an error, wherever they lie, and never reach anything", async () => {
    const { line, kv } = abiLine();
    const module = await abiModule(line);
    const size = module.memory.buffer.byteLength;
    const [bucket, key] = [module.put(0, "default"), module.put(100, "k")];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 2 * size })),
        async (address, bytes) => {
          const isInside = (address >>> 0) + (bytes >>> 0) <= size;
          expect(await module.call("kv_set", ...bucket, ...key, address, bytes)).toBe(isInside ? 0 : ABI_ERROR.invalid);
          expect((await kv.get("default", "k")) !== undefined).toBe(isInside);
          await kv.delete("default", "k");
          expect(await module.call("random", address, bytes)).toBe(isInside ? 0 : ABI_ERROR.invalid);
          new Uint8Array(module.memory.buffer).fill(0);
          module.put(0, "default");
          module.put(100, "k");
        },
      ),
      { numRuns: 200 },
    );
  });

  it("for results are checked before anything is done", async () => {
    const { line, kv } = abiLine();
    const module = await abiModule(line);
    const [bucket, key] = [module.put(0, "default"), module.put(100, "k")];
    expect(await module.call("kv_increment", ...bucket, ...key, 1n, 2 * 65_536 - 7)).toBe(ABI_ERROR.invalid);
    expect(await module.lastError()).toBe(
      "Cannot use sum: 8 bytes at address 131065 lie outside of the memory (131072 bytes)",
    );
    expect(await kv.get("default", "k")).toBeUndefined();
    expect(await module.call("kv_increment", ...bucket, ...key, 1n, 2 * 65_536 - 8)).toBe(0);
  });

  it("of text must be UTF-8, and not too long", async () => {
    const module = await abiModule(abiLine().line);
    expect(await module.call("log", 2, ...module.put(0, Uint8Array.of(0x61, 0xff)))).toBe(ABI_ERROR.invalid);
    expect(await module.lastError()).toBe("Cannot use message: it is not UTF-8");
    expect(await module.call("log", 2, 0, TEXT_MAX_BYTES + 1)).toBe(ABI_ERROR.invalid);
    expect(await module.call("log", 2, 10, TEXT_MAX_BYTES)).toBe(0);
  });

  it("of a type that the function does not have are a trap", () => {
    const { imports } = createCoreAbi(abiLine().line);
    const types: readonly (readonly unknown[])[] = [
      [2, 0],
      [2, 0, 0, 0],
      [2n, 0, 0],
      [1.5, 0, 0],
      [{}, 0, 0],
    ];
    for (const given of types)
      expect(() => imports["log"]?.(...given)).toThrow("wasmatrix.log is imported with other types");
  });
});

describe("a module's imports", () => {
  const check = (text: string): void => assertCoreAbiFits(coreModuleFromBytes(wasmFromWat(text)));

  it("are taken when they exist and there is a memory", () => {
    check('(module (import "wasmatrix" "log" (func (param i32 i32 i32) (result i32))) (memory (export "memory") 1))');
    check('(module (func (export "f")))');
  });

  it("are refused by name when they do not exist, also those that every object has", () => {
    for (const name of ["kv_fly", "toString", "__proto__"])
      expect(() => check(`(module (import "wasmatrix" "${name}" (func)) (memory (export "memory") 1))`)).toThrow(
        expect.objectContaining({ reason: Reason.MODULE_IMPORT_UNKNOWN, subject: `wasmatrix.${name}` }),
      );
    expect(() => check('(module (import "wasmatrix" "log" (global i32)) (memory (export "memory") 1))')).toThrow(
      expect.objectContaining({ reason: Reason.MODULE_IMPORT_UNKNOWN }),
    );
  });

  it("are refused without a memory", () => {
    expect(() => check('(module (import "wasmatrix" "clock_ms" (func (result i64))))')).toThrow(
      expect.objectContaining({ reason: Reason.MODULE_KIND_UNSUPPORTED }),
    );
  });

  it("cannot wait in a start function, and say so by their list", () => {
    expect(CORE_ABI_SUSPENDING).toEqual(expect.arrayContaining(["kv_get", "publish", "http_request", "sleep_ms"]));
    expect(CORE_ABI_SUSPENDING).not.toContain("env_get");
    expect(Object.keys(createCoreAbi(abiLine().line).imports).toSorted()).toEqual(
      Object.keys(CORE_ABI_SIGNATURES).toSorted(),
    );
    expect(abiNumbers(CORE_ABI_SIGNATURES["kv_increment"] ?? expect.fail())).toEqual([
      "i32",
      "i32",
      "i32",
      "i32",
      "i64",
      "i32",
    ]);
  });
});
