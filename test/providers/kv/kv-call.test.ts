import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { KvAnswer, KvCall } from "../../../src/providers/kv/kv.ts";
import { runKvCall } from "../../../src/providers/kv/kv-call.ts";
import { createMemoryKv } from "../../../src/providers/kv/memory-kv.ts";

const one = Uint8Array.of(49);

describe("a key-value call as data", () => {
  it("does what its kind says, and answers with the kind that belongs to it", async () => {
    const kv = createMemoryKv();
    const bucket = "b";
    const steps: readonly (readonly [KvCall, KvAnswer])[] = [
      [{ kind: "open", bucket }, { kind: "done" }],
      [{ kind: "set", bucket, key: "n", value: one }, { kind: "done" }],
      [
        { kind: "get", bucket, key: "n" },
        { kind: "value", value: one },
      ],
      [
        { kind: "get", bucket, key: "x" },
        { kind: "value", value: undefined },
      ],
      [
        { kind: "increment", bucket, key: "n", delta: 4n },
        { kind: "sum", sum: 5n },
      ],
      [
        { kind: "compareAndSwap", bucket, key: "n", expected: one, value: one },
        { kind: "swap", swap: { isSwapped: false, current: Uint8Array.of(53) } },
      ],
      [
        { kind: "compareAndSwap", bucket, key: "n", expected: Uint8Array.of(53), value: one },
        { kind: "swap", swap: { isSwapped: true } },
      ],
      [{ kind: "setMany", bucket, entries: [["m", one]] }, { kind: "done" }],
      [
        { kind: "listKeys", bucket, cursor: undefined },
        { kind: "page", page: { keys: ["m", "n"], cursor: undefined } },
      ],
      [
        { kind: "getMany", bucket, keys: ["m", "x"] },
        { kind: "values", values: [one, undefined] },
      ],
      [{ kind: "delete", bucket, key: "n" }, { kind: "done" }],
      [{ kind: "deleteMany", bucket, keys: ["m"] }, { kind: "done" }],
      [
        { kind: "exists", bucket, key: "n" },
        { kind: "exists", exists: false },
      ],
    ];
    for (const [call, answer] of steps) expect(await runKvCall(kv, call), call.kind).toEqual(answer);
  });

  it("fails as the operation fails", async () => {
    const kv = createMemoryKv();
    await expect(runKvCall(kv, { kind: "open", bucket: "" })).rejects.toMatchObject({
      reason: Reason.ARGUMENT_INVALID,
    });
    await kv.close();
    await expect(runKvCall(kv, { kind: "open", bucket: "b" })).rejects.toMatchObject({
      reason: Reason.PROVIDER_STOPPED,
    });
  });
});
