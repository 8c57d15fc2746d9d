/** Real HTTP components: `guests/relay.c`, and the permissions probe of the runtime's tests, which uses every capability. */
import { describe, expect, it, vi } from "vitest";
import { ask, startComponent, type ComponentGuest } from "./component-guest.ts";
import { MemorySink, MemorySource } from "./memory-bytes.ts";
import { memoryLine } from "./memory-line.ts";

const PROBE = "../guests/permissions.wasm";
const textOf = async (guest: ComponentGuest, path: string): Promise<string> => {
  const { status, sink } = await ask(guest, path);
  return `${status} ${sink.text}`;
};

describe("a component that relays requests", () => {
  it("passes bodies and trailers on in both directions, piece by piece", async () => {
    const line = memoryLine();
    const guest = await startComponent("./guests/relay.wasm", line);
    const question = new MemorySource("que");
    const sink = new MemorySink();
    const asked = ask(guest, "/path?q=1", question, sink);
    await vi.waitFor(() => expect(line.sent[0]?.body.text).toBe("que"));
    question.put("stion").end([["x-request-sum", "8"]]);
    await vi.waitFor(() => expect(line.sent[0]?.body.finished).toEqual({ trailers: [["x-request-sum", "8"]] }));
    expect(line.sent[0]?.head).toMatchObject({ method: "POST", authority: "backend.test", pathWithQuery: "/path?q=1" });
    const response = new MemorySource("ans");
    line.sent[0]?.respond({ tag: "ok", val: { status: 203, headers: [["x-backend", "b"]], body: response } });
    await vi.waitFor(() => expect(sink.text).toBe("ans"));
    response.put("wer").end([["x-response-sum", "6"]]);
    const answer = await asked;
    expect(answer).toMatchObject({ status: 203, headers: [["x-backend", "b"]] });
    expect(sink.text).toBe("answer");
    expect(sink.finished).toEqual({ trailers: [["x-response-sum", "6"]] });
    expect(guest.instance.openHandles).toBe(0);
  });

  it("moves no more than the reader takes", async () => {
    const line = memoryLine();
    const guest = await startComponent("./guests/relay.wasm", line);
    const sink = new MemorySink(5);
    const asked = ask(guest, "/", new MemorySource().end(), sink);
    await vi.waitFor(() => expect(line.sent).toHaveLength(1));
    line.sent[0]?.respond({ tag: "ok", val: { status: 200, headers: [], body: new MemorySource("0123456789").end() } });
    await vi.waitFor(() => expect(sink.text).toBe("01234"));
    // One more than it needs: the guest finds the end by asking for more.
    sink.makeRoom(6);
    await asked;
    expect(sink.text).toBe("0123456789");
  });

  it("is told when a body breaks off, and why a request is denied", async () => {
    const line = memoryLine();
    const guest = await startComponent("./guests/relay.wasm", line);
    const sink = new MemorySink();
    const asked = ask(guest, "/", new MemorySource().end(), sink);
    await vi.waitFor(() => expect(line.sent).toHaveLength(1));
    line.sent[0]?.respond({
      tag: "ok",
      val: { status: 200, headers: [], body: new MemorySource("half").fail("reset") },
    });
    await asked;
    expect(sink.text).toBe("half");
    expect(sink.aborted).toBeDefined();
    const denied = ask(guest, "/", new MemorySource().end());
    await vi.waitFor(() => expect(line.sent).toHaveLength(2));
    line.sent[1]?.respond({
      tag: "err",
      val: { code: "HTTP-request-denied", message: "http:domain:backend.test is missing" },
    });
    expect(await denied).toMatchObject({ status: 502 });
    expect((await denied).sink.text).toBe("HTTP-request-denied");
    expect(guest.instance.openHandles).toBe(0);
  });

  it("gives everything back when it is disposed of in the middle", async () => {
    const line = memoryLine();
    const guest = await startComponent("./guests/relay.wasm", line);
    const question = new MemorySource("que");
    const asked = ask(guest, "/", question);
    await vi.waitFor(() => expect(line.sent[0]?.body.text).toBe("que"));
    guest.dispose();
    await expect(asked).rejects.toThrow("disposed");
    expect(line.sent[0]).toMatchObject({ isAbandoned: true });
    expect(line.sent[0]?.body.aborted).toBeDefined();
    expect(guest.instance.openHandles).toBe(0);
  });
});

describe("a component that uses every capability", () => {
  it("gets what it is granted", async () => {
    const line = memoryLine({
      buckets: ["default"],
      config: { color: "green" },
      rights: () => ({ folders: [], env: { NAME: "value" } }),
      onSent: (request) =>
        request.respond({ tag: "ok", val: { status: 418, headers: [], body: new MemorySource("teapot").end() } }),
    });
    const guest = await startComponent(PROBE, line);
    expect(await textOf(guest, "/kv/set?key=a&value=1")).toBe("200 done");
    expect(await textOf(guest, "/kv/increment?key=a&by=41")).toBe("200 42");
    expect(await textOf(guest, "/kv/get?key=a")).toBe("200 42");
    expect(await textOf(guest, "/kv/list")).toBe("200 a\n");
    expect(await textOf(guest, "/http?url=http://example.com/x")).toBe("200 418\nteapot");
    expect(await textOf(guest, "/publish?topic=t&body=b")).toBe("200 published");
    expect(await textOf(guest, "/env?name=NAME")).toBe("200 value");
    expect(await textOf(guest, "/config?key=color")).toBe("200 green");
    expect(await textOf(guest, "/log?level=3&text=careful")).toBe("200 logged");
    expect(line.logs).toEqual(["warn [probe] careful"]);
    expect(await textOf(guest, "/folders")).toBe("200 ");
    expect(guest.instance.openHandles).toBe(0);
  });

  it("is told of what it is not granted in each interface's own words", async () => {
    const line = memoryLine({
      buckets: [],
      messaging: async () => ({ tag: "err", val: { isDenied: true, message: "not permitted" } }),
      onSent: (request) => request.respond({ tag: "err", val: { code: "HTTP-request-denied", message: "no" } }),
    });
    const guest = await startComponent(PROBE, line);
    expect(await textOf(guest, "/kv/get?key=a")).toBe("403 access-denied");
    expect(await textOf(guest, "/http?url=http://example.com/x")).toBe("403 HTTP-request-denied");
    expect(await textOf(guest, "/publish?topic=t&body=b")).toBe("502 not permitted");
    expect(await textOf(guest, "/env?name=NAME")).toBe("404 not set");
  });
});
