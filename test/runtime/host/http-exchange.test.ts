import { describe, expect, it } from "vitest";
import type { IncomingExchange } from "../../../src/runtime/host/guest-line.ts";
import { createGivingWay } from "../../../src/runtime/host/giving-way.ts";
import { serveHttp, type HttpHandler } from "../../../src/runtime/host/http-outparam.ts";
import { httpInterfaces } from "../../../src/runtime/host/wasi-http.ts";
import { ioInterfaces } from "../../../src/runtime/host/wasi-io.ts";
import { callHost, dropResource, okOf } from "./host-calls.ts";
import { MemorySink, MemorySource } from "./memory-bytes.ts";
import { memoryLine } from "./memory-line.ts";

const giveWay = createGivingWay();
const host = { ...ioInterfaces(giveWay), ...httpInterfaces(memoryLine(), giveWay) };
const http = (name: string, ...args: readonly unknown[]): unknown => callHost(host, `wasi:http/types#${name}`, ...args);
const io = (name: string, ...args: readonly unknown[]): unknown =>
  callHost(host, `wasi:io/streams#[method]${name}`, ...args);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const ERR = { tag: "err", val: undefined };

type Outcome = { head?: unknown; error?: string; thrown?: unknown; sink: MemorySink; body: MemorySource };

async function serve(
  handle: HttpHandler,
  request: Partial<IncomingExchange> = {},
  sink = new MemorySink(),
): Promise<Outcome> {
  const outcome: Outcome = { sink, body: new MemorySource("question").end([["x-trailer", "t"]]) };
  const exchange: IncomingExchange = {
    method: "POST",
    scheme: "https",
    authority: "example.com:8443",
    pathWithQuery: "/path?query",
    headers: [["Content-Type", "text/plain"]],
    body: outcome.body,
    respond(head) {
      outcome.head = head;
      return sink;
    },
    respondError(message) {
      outcome.error = message;
    },
    ...request,
  };
  await serveHttp(exchange, handle).catch((error: unknown) => (outcome.thrown = error));
  return outcome;
}

/** A response with these headers, and its body if it is wanted. */
function response(headers: readonly (readonly [string, string])[] = []): { response: unknown; body: () => unknown } {
  const fields = okOf(
    http(
      "[static]fields.from-list",
      headers.map(([name, value]) => [name, bytes(value)]),
    ),
  );
  const made = http("[constructor]outgoing-response", fields);
  return { response: made, body: () => okOf(http("[method]outgoing-response.body", made)) };
}

const set = (outparam: unknown, made: unknown): unknown =>
  http("[static]response-outparam.set", outparam, { tag: "ok", val: made });
const finish = (body: unknown, trailers?: unknown): unknown => http("[static]outgoing-body.finish", body, trailers);

async function write(body: unknown, text: string): Promise<unknown> {
  return io("output-stream.blocking-write-and-flush", okOf(http("[method]outgoing-body.write", body)), bytes(text));
}

describe("a request into a guest", () => {
  it("has its parts, headers that cannot be changed, a body once, and its trailers", async () => {
    const { error } = await serve(async (request) => {
      const of = (name: string): unknown => http(`[method]incoming-request.${name}`, request);
      expect(of("method")).toEqual({ tag: "post", val: undefined });
      expect(of("scheme")).toEqual({ tag: "HTTPS", val: undefined });
      expect(of("authority")).toBe("example.com:8443");
      expect(of("path-with-query")).toBe("/path?query");
      const headers = of("headers");
      expect(http("[method]fields.entries", headers)).toEqual([["Content-Type", bytes("text/plain")]]);
      expect(http("[method]fields.append", headers, "a", bytes("b"))).toMatchObject({
        tag: "err",
        val: { tag: "immutable" },
      });
      const body = okOf(of("consume"));
      expect(of("consume")).toEqual(ERR);
      const stream = okOf(http("[method]incoming-body.stream", body));
      expect(http("[method]incoming-body.stream", body)).toEqual(ERR);
      expect(okOf(io("input-stream.blocking-read", stream, 4n))).toEqual(bytes("ques"));
      const future = http("[static]incoming-body.finish", body);
      const trailers = okOf(okOf(await http("[method]future-trailers.get", future)));
      expect(http("[method]fields.get", trailers, "X-Trailer")).toEqual([bytes("t")]);
      expect(await http("[method]future-trailers.get", future)).toEqual(ERR);
      const pollable = http("[method]future-trailers.subscribe", future);
      expect(callHost(host, "wasi:io/poll#[method]pollable.ready", pollable)).toBe(true);
    });
    expect(error).toBe("the handler returned without a response");
  });

  it("names a method that the interface does not know", async () => {
    await serve(
      (request) => expect(http("[method]incoming-request.method", request)).toEqual({ tag: "other", val: "PURGE" }),
      { method: "PURGE" },
    );
  });

  it("tells the guest that trailers never came when the client went away", async () => {
    const source = new MemorySource("begin");
    await serve(
      async (request) => {
        const body = okOf(http("[method]incoming-request.consume", request));
        const future = http("[static]incoming-body.finish", body);
        expect(await http("[method]future-trailers.get", future)).toBeUndefined();
        source.fail("the client went away");
        expect(okOf(await http("[method]future-trailers.get", future))).toEqual({
          tag: "err",
          val: { tag: "connection-terminated", val: undefined },
        });
      },
      { body: source },
    );
    expect(source.isCancelled).toBe(true);
  });

  it("gives the error code of a body that broke off", async () => {
    await serve(
      (request) => {
        const stream = okOf(
          http("[method]incoming-body.stream", okOf(http("[method]incoming-request.consume", request))),
        );
        const failed = io("input-stream.blocking-read", stream, 1n) as { val: { val: unknown } };
        expect(http("http-error-code", failed.val.val)).toEqual({ tag: "connection-terminated", val: undefined });
      },
      { body: new MemorySource().fail("broken") },
    );
  });
});

describe("a response of a guest", () => {
  it("goes out with its head, body and trailers", async () => {
    const { head, sink, error } = await serve(async (_request, outparam) => {
      const { response: made, body: take } = response([["x-a", "1"]]);
      expect(http("[method]outgoing-response.status-code", made)).toBe(200);
      expect(http("[method]outgoing-response.set-status-code", made, 99)).toEqual(ERR);
      expect(http("[method]outgoing-response.set-status-code", made, 201)).toEqual({ tag: "ok", val: undefined });
      expect(
        http("[method]fields.append", http("[method]outgoing-response.headers", made), "b", bytes("2")),
      ).toMatchObject({ tag: "err" });
      const body = take();
      expect(http("[method]outgoing-response.body", made)).toEqual(ERR);
      set(outparam, made);
      await write(body, "answer");
      expect(http("[method]outgoing-body.write", body)).toEqual(ERR);
      const trailers = okOf(http("[static]fields.from-list", [["x-sum", bytes("42")]]));
      expect(finish(body, trailers)).toEqual({ tag: "ok", val: undefined });
    });
    expect(error).toBeUndefined();
    expect(head).toEqual({ status: 201, headers: [["x-a", "1"]] });
    expect(sink.text).toBe("answer");
    expect(sink.finished).toEqual({ trailers: [["x-sum", "42"]] });
  });

  it("may be written and finished before it is set, however little room there is", async () => {
    const sink = new MemorySink(3);
    const serving = serve(
      async (_request, outparam) => {
        const { response: made, body: take } = response();
        const body = take();
        await write(body, "early words");
        finish(body);
        set(outparam, made);
      },
      {},
      sink,
    );
    for (let turn = 0; turn < 20; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      sink.makeRoom(1);
    }
    await serving;
    expect(sink.text).toBe("early words");
    expect(sink.finished).toEqual({ trailers: undefined });
  });

  it("without a body is complete at once", async () => {
    const { sink } = await serve((_request, outparam) => set(outparam, response().response));
    expect(sink.finished).toEqual({ trailers: undefined });
  });

  it("that is not finished when the handler returns is cut off, as is one whose body is dropped", async () => {
    const returned = await serve(async (_request, outparam) => {
      const { response: made, body: take } = response();
      const body = take();
      set(outparam, made);
      await write(body, "half");
    });
    expect(returned.sink.aborted).toContain("before its response was complete");
    const dropped = await serve((_request, outparam) => {
      const { response: made, body: take } = response();
      const body = take();
      set(outparam, made);
      dropResource(host, "wasi:http/types", "outgoing-body", body);
    });
    expect(dropped.sink.aborted).toContain("dropped");
  });

  it("is cut off by a trap after it has begun, and left to the caller before", async () => {
    const begun = await serve((_request, outparam) => {
      const { response: made, body: take } = response();
      take();
      set(outparam, made);
      throw new WebAssembly.RuntimeError("unreachable");
    });
    expect(begun.thrown).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(begun.sink.aborted).toContain("ended");
    const before = await serve(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    expect(before.thrown).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(before.error).toBeUndefined();
  });

  it("may be an error code", async () => {
    const { error } = await serve((_request, outparam) =>
      http("[static]response-outparam.set", outparam, { tag: "err", val: { tag: "internal-error", val: "no idea" } }),
    );
    expect(error).toBe("internal-error (no idea)");
  });

  it("has no informational part", async () => {
    await serve((_request, outparam) => {
      const sent = http("[method]response-outparam.send-informational", outparam, 103, http("[constructor]fields"));
      expect(sent).toMatchObject({ tag: "err", val: { tag: "internal-error" } });
    });
  });

  it("tells a writer when nobody reads any more", async () => {
    const sink = new MemorySink(0);
    await serve(
      async (_request, outparam) => {
        const { response: made, body: take } = response();
        const body = take();
        set(outparam, made);
        sink.fail("the client went away");
        expect(await write(body, "x")).toMatchObject({ tag: "err", val: { tag: "last-operation-failed" } });
        expect(finish(body)).toMatchObject({ tag: "err", val: { tag: "connection-terminated" } });
      },
      {},
      sink,
    );
  });
});

describe("a content-length", () => {
  const withLength = (
    length: string,
    text: string | undefined,
  ): Promise<{ finished: unknown; written: unknown; outcome: Outcome }> => {
    const seen: { finished: unknown; written: unknown } = { finished: undefined, written: undefined };
    return serve(async (_request, outparam) => {
      const { response: made, body: take } = response([["Content-Length", length]]);
      const body = take();
      set(outparam, made);
      if (text !== undefined) seen.written = await write(body, text);
      seen.finished = finish(body);
    }).then((outcome) => ({ ...seen, outcome }));
  };

  it("holds for what is written", async () => {
    const { finished, outcome } = await withLength("5", "hello");
    expect(finished).toEqual({ tag: "ok", val: undefined });
    expect(outcome.sink.finished).toBeDefined();
  });

  it("that promised more makes the body incomplete", async () => {
    const { finished, outcome } = await withLength("6", "hello");
    expect(finished).toEqual({ tag: "err", val: { tag: "HTTP-response-body-size", val: 5n } });
    expect(outcome.sink.aborted).toContain("shorter");
  });

  it("that promised less makes the write fail, and nothing of it goes out", async () => {
    const { written, outcome } = await withLength("4", "hello");
    expect(written).toMatchObject({ tag: "err", val: { tag: "last-operation-failed" } });
    expect(outcome.sink.text).toBe("");
    expect(outcome.sink.aborted).toContain("longer");
  });

  it("may stand without a body, as an answer to HEAD has it", async () => {
    const { finished } = await withLength("4", undefined);
    expect(finished).toEqual({ tag: "ok", val: undefined });
  });
});
