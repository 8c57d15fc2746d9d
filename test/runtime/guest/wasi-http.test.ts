import { describe, expect, it } from "vitest";
import { Fields } from "../../../src/runtime/guest/http-fields.ts";
import { OutgoingBody } from "../../../src/runtime/guest/outgoing-body.ts";
import {
  FutureIncomingResponse,
  IncomingResponse,
  OutgoingRequest,
  RequestOptions,
} from "../../../src/runtime/guest/wasi-http-client.ts";

const thrownBy = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

describe("header fields", () => {
  const bytes = (value: string): Uint8Array => Buffer.from(value, "latin1");
  const values = (fields: Fields, name: string): string[] =>
    fields.get(name).map((value) => Buffer.from(value).toString("latin1"));

  it("are found by their names without regard to case", () => {
    const fields = Fields.fromList([
      ["A", bytes("1")],
      ["a", bytes("2")],
    ]);
    expect(values(fields, "a")).toEqual(["1", "2"]);
    fields.set("B", [bytes("3")]);
    fields.delete("A");
    expect([fields.has("a"), fields.has("b"), fields.entries().length]).toEqual([false, true, 1]);
    const copy = fields.clone();
    copy.append("c", bytes("4"));
    expect([fields.has("c"), copy.toPairs()]).toEqual([
      false,
      [
        ["B", "3"],
        ["c", "4"],
      ],
    ]);
  });

  it.each([
    ["a b", "1", "invalid-syntax"],
    ["", "1", "invalid-syntax"],
    ["a", "1\n", "invalid-syntax"],
    ["a", "\0", "invalid-syntax"],
    ["Connection", "close", "forbidden"],
    ["a", "x".repeat(200_000), "invalid-syntax"],
  ])("refuse %s: %s", (name, value, tag) => {
    expect(thrownBy(() => Fields.fromList([[name, bytes(value)]]))).toEqual({ tag });
  });

  it("of a request cannot be changed, and carry none of the connection's but host", () => {
    const fields = Fields.fromRequest([
      ["Host", "h"],
      ["Connection", "close"],
      ["X", "1"],
    ]);
    expect(fields.toPairs()).toEqual([
      ["host", "h"],
      ["x", "1"],
    ]);
    for (const change of [() => fields.append("a", bytes("1")), () => fields.delete("x"), () => fields.set("x", [])]) {
      expect(thrownBy(change)).toEqual({ tag: "immutable" });
    }
  });
});

describe("requests that a guest would make", () => {
  it("can be built, but there is never a response", () => {
    const request = new OutgoingRequest(new Fields());
    request.setMethod({ tag: "post" });
    request.setScheme({ tag: "HTTPS" });
    request.setAuthority("example.com");
    request.setPathWithQuery("/a");
    expect([
      request.method(),
      request.scheme(),
      request.authority(),
      request.pathWithQuery(),
      request.headers().entries(),
    ]).toEqual([{ tag: "post" }, { tag: "HTTPS" }, "example.com", "/a", []]);
    expect(request.body()).toBeInstanceOf(OutgoingBody);
    expect(() => request.body()).toThrow();
    const options = new RequestOptions();
    options.setConnectTimeout(1n);
    options.setFirstByteTimeout(2n);
    options.setBetweenBytesTimeout(3n);
    expect([options.connectTimeout(), options.firstByteTimeout(), options.betweenBytesTimeout()]).toEqual([1n, 2n, 3n]);
    const never = [() => new FutureIncomingResponse().get(), () => new FutureIncomingResponse().subscribe()];
    const response = new IncomingResponse();
    for (const use of [...never, () => response.status(), () => response.headers(), () => response.consume()])
      expect(use).toThrow("there is no response");
  });
});
