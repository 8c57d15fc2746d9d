import { describe, expect, it } from "vitest";
import { fault, Reason } from "../../src/fault.ts";
import type { KvCall } from "../../src/providers/kv/kv.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import { runKvCall } from "../../src/providers/kv/kv-call.ts";
import { recordingHost, testRuntime } from "./guest-starts.ts";
import { get, request, startProbe as start, textOf } from "./probe-guest.ts";

const runtime = testRuntime();
const startProbe = (options: Parameters<typeof start>[1] = {}): ReturnType<typeof start> => start(runtime, options);

describe("an HTTP guest and the key-value store", () => {
  it("reaches all operations, with their results", async () => {
    const calls: KvCall[] = [];
    const guest = await startProbe({
      host: {
        ...recordingHost(),
        async kv(call) {
          calls.push(call);
          switch (call.kind) {
            case "get":
              return { kind: "value", value: call.key === "a" ? Buffer.from("one") : undefined };
            case "exists":
              return { kind: "exists", exists: call.key === "a" };
            case "getMany":
              return { kind: "values", values: [Buffer.from("1"), undefined, Buffer.from("3")] };
            case "listKeys":
              return {
                kind: "page",
                page:
                  call.cursor === undefined
                    ? { keys: ["a", "b"], cursor: "after b" }
                    : { keys: ["c"], cursor: undefined },
              };
            case "increment":
              return { kind: "sum", sum: call.delta + 1n };
            default:
              return { kind: "done" };
          }
        },
      },
    });
    expect((await get(guest, "/kv")).split("\n")).toEqual([
      "get a=one",
      "get b=none",
      "exists a=true",
      "many=a1",
      "many=none",
      "many=c3",
      "key=a",
      "key=b",
      "more=true",
      "key=c",
      "more=false",
      "sum=42",
      "foreign cursor=cursor 999 is unknown",
      "too much=cannot add 18446744073709551615, which has more than 63 bits",
      "",
    ]);
    expect(calls.map(({ kind }) => kind)).toEqual([
      "open",
      "set",
      "get",
      "get",
      "exists",
      "setMany",
      "getMany",
      "listKeys",
      "listKeys",
      "delete",
      "deleteMany",
      "increment",
    ]);
    expect(calls[5]).toEqual({
      kind: "setMany",
      bucket: "default",
      entries: [
        ["b", new Uint8Array(Buffer.from("two"))],
        ["c", new Uint8Array(Buffer.from("three"))],
      ],
    });
    expect(calls[8]).toEqual({ kind: "listKeys", bucket: "default", cursor: "after b" });
    await guest.kill();
  });

  it("works with a real provider", async () => {
    const provider = createMemoryKv();
    const guest = await startProbe({ host: { ...recordingHost(), kv: (call) => runKvCall(provider, call) } });
    expect((await get(guest, "/kv")).split("\n").slice(0, -3)).toEqual([
      "get a=one",
      "get b=none",
      "exists a=true",
      "many=aone",
      "many=none",
      "many=cthree",
      "key=a",
      "key=b",
      "key=c",
      "more=false",
      "sum=41",
    ]);
    expect(await provider.get("default", "a")).toBeUndefined();
    expect(Buffer.from((await provider.get("default", "n")) ?? []).toString()).toBe("41");
    await guest.kill();
    await provider.close();
  });

  it("gets access-denied where it has no assignment, and another error as what it says", async () => {
    const denied = await startProbe();
    const response = await denied.fetch(request("/kv"));
    expect([response.status, await textOf(response)]).toEqual([403, "access-denied"]);
    expect(await get(denied, "/calls")).toBe("2");
    await denied.kill();

    for (const [error, text] of [
      [
        fault(Reason.PROVIDER_STOPPED, "Cannot open bucket: the provider is stopped"),
        "other: Cannot open bucket: the provider is stopped",
      ],
      [new Error("secret"), "other: the key-value host failed"],
    ] as const) {
      const guest = await startProbe({ host: { ...recordingHost(), kv: () => Promise.reject(error) } });
      expect(await get(guest, "/kv")).toBe(text);
      await guest.kill();
    }
  });

  it("that waits for a slow store is ended at its call's time", async () => {
    const guest = await startProbe({
      limits: { callTimeoutMs: 200 },
      host: { ...recordingHost(), kv: () => new Promise(() => {}) },
    });
    await expect(get(guest, "/kv")).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
  });
});
