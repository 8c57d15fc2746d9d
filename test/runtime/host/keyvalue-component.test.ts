/** `guests/swapper.c`: a component on 0.2.0-draft2, with `get-many` in its later shape. */
import { describe, expect, it } from "vitest";
import { startComponent } from "./component-guest.ts";
import { memoryLine } from "./memory-line.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a component on wasi:keyvalue 0.2.0-draft2", () => {
  it("swaps again with the handle that a failed swap gave it", async () => {
    const line = memoryLine();
    const guest = await startComponent("./guests/swapper.wasm", line);
    expect(await guest.call("append", "b", "k", "me ", false)).toEqual({ tag: "ok", val: "me " });
    expect(await guest.call("append", "b", "k", "me", true)).toEqual({ tag: "ok", val: "them me" });
    expect(await line.store.get("b", "k")).toEqual(bytes("them me"));
    expect(guest.instance.openHandles).toBe(0);
  });

  it("is refused by access-denied", async () => {
    const guest = await startComponent("./guests/swapper.wasm", memoryLine({ buckets: ["mine"] }));
    expect(await guest.call("append", "b", "k", "me", false)).toEqual({ tag: "err", val: "access-denied" });
    expect(await guest.call("append", "mine", "k", "me", false)).toEqual({ tag: "ok", val: "me" });
  });

  it("reads many values in the shape that it declares", async () => {
    const line = memoryLine();
    await line.store.set("b", "1", bytes("one"));
    const guest = await startComponent("./guests/swapper.wasm", line);
    expect(await guest.call("values", "b", ["1", "2"])).toEqual({
      tag: "ok",
      val: [
        ["1", bytes("one")],
        ["2", undefined],
      ],
    });
  });

  it("lists keys by cursors that are text", async () => {
    const line = memoryLine();
    const keys = Array.from({ length: 1_200 }, (_, index) => String(index).padStart(4, "0"));
    for (let from = 0; from < keys.length; from += 200)
      await line.store.setMany(
        "b",
        keys.slice(from, from + 200).map((key) => [key, new Uint8Array()]),
      );
    const guest = await startComponent("./guests/swapper.wasm", line);
    expect(await guest.call("keys", "b")).toEqual({ tag: "ok", val: keys });
  });
});
