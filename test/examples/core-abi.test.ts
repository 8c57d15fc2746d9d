import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ABI_ERROR } from "../../src/runtime/abi/abi-error.ts";
import { assertCoreAbiFits } from "../../src/runtime/abi/core-abi.ts";
import { coreModuleFromBytes } from "../../src/runtime/core-module.ts";
import { abiLine, type AbiLine, type AbiLineOptions } from "../runtime/abi/abi-line.ts";
import { instantiateOnAbi } from "../runtime/abi/abi-module.ts";

const example = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(join(import.meta.dirname, "..", "..", "examples", "core-abi", `${name}.wasm`)));

type Running = AbiLine & { call(name: string, ...args: readonly (number | bigint)[]): Promise<unknown> };

async function run(name: string, options: AbiLineOptions = {}): Promise<Running> {
  const module = example(name);
  assertCoreAbiFits(coreModuleFromBytes(module));
  const line = abiLine(options);
  const { exports } = await instantiateOnAbi(module, line.line);
  return { ...line, call: (function_, ...args) => exports(function_)(...args) };
}

describe("the example tally, in C", () => {
  it("adds, tells the total, and forgets it", async () => {
    const { call, kv } = await run("tally");
    expect(await call("total")).toBe(0n);
    expect(await call("add", 40n)).toBe(40n);
    expect(await call("add", -42n)).toBe(-2n);
    expect(await call("total")).toBe(-2n);
    expect(await call("reset")).toBe(0);
    expect(await call("total")).toBe(0n);
    await kv.increment("default", "tally", 2n ** 63n - 1n);
    expect(await call("total")).toBe(2n ** 63n - 1n);
  });

  it("says in its log what it was not granted", async () => {
    const { call, logged } = await run("tally", { isDenied: true });
    expect(await call("add", 1n)).toBe(BigInt(ABI_ERROR.denied));
    expect(await call("total")).toBe(BigInt(ABI_ERROR.denied));
    expect(logged).toEqual(["error not granted", "error not granted"]);
  });

  it("announces the total on a topic, and the one of its configuration", async () => {
    const published: unknown[] = [];
    const messaging: AbiLineOptions["messaging"] = async (call) => {
      if (call.kind === "publish") published.push([call.message.topic, Buffer.from(call.message.body).toString()]);
      return { tag: "ok", val: { kind: "done" } };
    };
    const plain = await run("tally", { messaging });
    await plain.call("add", 7n);
    expect(await plain.call("announce")).toBe(0);
    const configured = await run("tally", { messaging, config: { topic: "sums.eu" } });
    expect(await configured.call("announce")).toBe(0);
    expect(published).toEqual([
      ["tally", "7"],
      ["sums.eu", "0"],
    ]);
  });

  it("reports the total by HTTP", async () => {
    const http: AbiLineOptions["http"] = (head, body) => ({
      tag: "ok",
      val: { status: head.method === "POST" && body === "12" ? 204 : 400, headers: [], pieces: [] },
    });
    const { call } = await run("tally", { http, config: { "report-url": "https://collect.example.com/tally" } });
    await call("add", 12n);
    expect(await call("report")).toBe(204);
    expect(await (await run("tally", { http })).call("report")).toBe(ABI_ERROR.none);
  });
});

describe("the example visits, in AssemblyScript", () => {
  it("counts the visits of each page, and writes them to its log", async () => {
    const { call, logged, kv } = await run("visits");
    expect(await call("digits", 1)).toBe(0);
    expect(await call("visit", 1)).toBe(1n);
    expect(await call("visit", 2)).toBe(1n);
    expect(await call("visit", 1)).toBe(2n);
    await kv.set("default", "page-1", Buffer.from("99"));
    expect(await call("visit", 1)).toBe(100n);
    expect(await call("digits", 1)).toBe(3);
    expect(logged.at(-1)).toBe("info Page 1 has 100 visits");
  });

  it("traps with the reason in its log", async () => {
    const { call, logged } = await run("visits");
    await expect(call("visit", -1)).rejects.toThrow("unreachable");
    expect(logged).toEqual([expect.stringMatching(/^critical pages are counted from 0 \(line \d+\)$/)]);
    const denied = await run("visits", { isDenied: true });
    await expect(denied.call("visit", 1)).rejects.toThrow("unreachable");
    expect(denied.logged).toEqual(["error not granted"]);
  });

  it("keeps its memory over thousands of calls", async () => {
    const line = abiLine();
    const { exports, memory } = await instantiateOnAbi(example("visits"), line.line);
    for (let index = 0; index < 3_000; index += 1) await exports("visit")(index);
    expect(memory.buffer.byteLength).toBeLessThanOrEqual(4 * 65_536);
  });
});
