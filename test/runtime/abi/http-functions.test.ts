import { describe, expect, it } from "vitest";
import { ABI_ERROR } from "../../../src/runtime/abi/abi-error.ts";
import { abiLine, type AbiLine, type AbiLineOptions } from "./abi-line.ts";
import { abiModule, type AbiModule } from "./abi-module.ts";

const STATUS = 49_000;
const OUT = [50_000, 1_000] as const;

async function client(options: AbiLineOptions): Promise<AbiModule & { readonly line: AbiLine; send: typeof send }> {
  const line = abiLine(options);
  const module = await abiModule(line.line);
  async function send(
    method: string,
    url: string,
    headers = "",
    body: string | Uint8Array = "",
  ): Promise<number | bigint> {
    const places = [module.put(0, method), module.put(100, url), module.put(1_000, headers), module.put(10_000, body)];
    return module.call("http_request", ...places.flat(), STATUS, ...OUT);
  }
  return { ...module, line, send };
}

describe("http_request", () => {
  it("sends a request and gives status, headers and body", async () => {
    const seen: unknown[] = [];
    const { send, call, text, memory, line } = await client({
      http: (head, body) => {
        seen.push(head, body.length);
        return {
          tag: "ok",
          val: {
            status: 201,
            headers: [
              ["x-a", "1"],
              ["x-b", "é"],
            ],
            pieces: [Buffer.from("hel"), Buffer.from("lo")],
          },
        };
      },
    });
    expect(
      await send("POST", "https://api.example.com:8443/a?b=c", "x-one: 1\r\nX-Two:  zwei \n", "x".repeat(2_500)),
    ).toBe(5);
    expect(text(50_000, 5)).toBe("hello");
    expect(new DataView(memory.buffer).getInt32(STATUS, true)).toBe(201);
    const headerBytes = Number(await call("http_response_headers", 52_000, 1_000));
    expect(text(52_000, headerBytes)).toBe("x-a: 1\nx-b: é\n");
    expect(seen).toEqual([
      {
        method: "POST",
        scheme: "https",
        authority: "api.example.com:8443",
        pathWithQuery: "/a?b=c",
        headers: [
          ["x-one", "1"],
          ["X-Two", "zwei"],
          ["content-length", "2500"],
        ],
        hasBody: true,
        connectTimeoutMs: undefined,
        firstByteTimeoutMs: undefined,
        betweenBytesTimeoutMs: undefined,
      },
      2_500,
    ]);
    expect(line.abandoned.count).toBe(1);
  });

  it("is denied without a permission, and says what failed otherwise", async () => {
    const denied = await client({});
    expect(await denied.send("GET", "http://example.com")).toBe(ABI_ERROR.denied);
    expect(await denied.lastError()).toBe("HTTP-request-denied: not granted");
    const failing = await client({
      http: () => ({ tag: "err", val: { code: "connection-refused", message: "nobody there" } }),
    });
    expect(await failing.send("GET", "http://example.com")).toBe(ABI_ERROR.failed);
    expect(await failing.lastError()).toBe("connection-refused: nobody there");
    expect(failing.line.abandoned.count).toBe(1);
  });

  it("waits for the answer also when its body is not taken", async () => {
    const { send, lastError } = await client({
      sinkRoom: () => undefined,
      http: () => ({ tag: "err", val: { code: "connection-terminated", message: "gone" } }),
    });
    expect(await send("PUT", "http://example.com/", "", "body")).toBe(ABI_ERROR.failed);
    expect(await lastError()).toBe("connection-terminated: gone");
  });

  it("fails when the body breaks off or is larger than it may be", async () => {
    const broken = await client({
      http: () => ({ tag: "ok", val: { status: 200, headers: [], pieces: [Buffer.from("half"), Buffer.from("!")] } }),
    });
    expect(await broken.send("GET", "http://example.com/")).toBe(ABI_ERROR.failed);
    expect(await broken.lastError()).toBe("broken off");
    const mib = new Uint8Array(1024 * 1024);
    const sized = (pieces: number): AbiLineOptions => ({
      http: () => ({ tag: "ok", val: { status: 200, headers: [], pieces: Array.from({ length: pieces }, () => mib) } }),
    });
    expect(await (await client(sized(16))).send("GET", "http://example.com/")).toBe(16 * 1024 * 1024);
    const huge = await client(sized(17));
    expect(await huge.send("GET", "http://example.com/")).toBe(ABI_ERROR.failed);
    expect(await huge.lastError()).toContain("exceeds 16777216 bytes");
  });

  it.each([
    ["G E T", "http://example.com/", "", '"G E T" is no method'],
    ["GET", "example.com", "", '"example.com" is no URL'],
    ["GET", "file:///etc/passwd", "", 'begins with "file:"'],
    ["GET", "http://user:secret@example.com/", "", "holds credentials"],
    ["GET", "http://example.com/", "no colon", "is no header line"],
    ["GET", "http://example.com/", "x-a: b\u0000c", "is no header line"],
    ["GET", "http://example.com/", "Host: other.example.com", "the header Host is not the guest's to set"],
    ["GET", "http://example.com/", "transfer-encoding: chunked", "transfer-encoding"],
  ])("refuses %s %s %j before anything is sent", async (method, url, headers, sentence) => {
    const { send, lastError, line } = await client({ http: () => expect.fail("sent") });
    expect(await send(method, url, headers)).toBe(ABI_ERROR.invalid);
    expect(await lastError()).toContain(sentence);
    expect(line.abandoned.count).toBe(0);
  });
});
