import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GuestExit } from "../../../src/runtime/guest/guest-exit.ts";
import { createHttpExchange, type HttpExchange } from "../../../src/runtime/guest/http-exchange.ts";
import { Fields } from "../../../src/runtime/guest/http-fields.ts";
import { createMessagePump, type MessagePump } from "../../../src/runtime/guest/message-pump.ts";
import { OutgoingBody } from "../../../src/runtime/guest/outgoing-body.ts";
import {
  IncomingBody,
  IncomingRequest,
  OutgoingResponse,
  ResponseOutparam,
} from "../../../src/runtime/guest/wasi-http.ts";
import { createWasiHost, type WasiHost } from "../../../src/runtime/guest/wasi-host.ts";
import { InputStream, OutputStream, Pollable, STREAM_CLOSED } from "../../../src/runtime/guest/wasi-io.ts";
import { WASI_INTERFACES } from "../../../src/runtime/wasi-interfaces.ts";
import { RESPONSE_WINDOW_BYTES, windowCost } from "../../../src/runtime/worker-protocol.ts";
import { openGuestLine, type GuestLine } from "./guest-line.ts";

let line: GuestLine;
let pump: MessagePump;
let host: WasiHost;

beforeEach(() => {
  line = openGuestLine();
  pump = createMessagePump(line.channel);
  host = createWasiHost(line.channel, pump, { args: ["a"], env: { K: "v" }, stdin: Buffer.from("in") });
});
afterEach(() => line.close());

function exchange(hasBody = true): HttpExchange {
  const request = {
    kind: "request",
    method: "PURGE",
    scheme: "https",
    authority: "h",
    pathWithQuery: "/",
    headers: [["Host", "h"]],
    hasBody,
  } as const;
  return createHttpExchange(request, line.channel, pump);
}

/** Calls a function of an interface, as the glue does: without `this`. */
function call(interfaceName: string, name: string, ...args: unknown[]): unknown {
  const found = host[interfaceName]?.[name];
  if (typeof found !== "function") throw new Error(`${interfaceName}#${name} is missing`);
  return Reflect.apply(found, undefined, args);
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const thrownBy = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

describe("the WASI host", () => {
  it("has exactly the interfaces that components may import", () => {
    expect(Object.keys(host).toSorted()).toEqual([...WASI_INTERFACES.keys()].toSorted());
  });

  it("has no function that a guest could import because JavaScript's objects and classes inherit it", () => {
    for (const functions of Object.values(host)) {
      for (const inherited of ["constructor", "toString", "valueOf", "hasOwnProperty"])
        expect(Reflect.get(functions, inherited)).toBeUndefined();
    }
    for (const inherited of ["constructor", "call", "apply", "bind", "toString"])
      expect(Reflect.get(Fields, inherited)).toBeUndefined();
    expect(Fields.fromList([]) instanceof Fields).toBe(true);
  });

  it("gives what the guest was started with", () => {
    expect(call("wasi:cli/environment", "getEnvironment")).toEqual([["K", "v"]]);
    expect(call("wasi:cli/environment", "getArguments")).toEqual(["a"]);
    expect(call("wasi:cli/environment", "initialCwd")).toBeUndefined();
    for (const name of ["Stdin", "Stdout", "Stderr"])
      expect(call(`wasi:cli/terminal-${name.toLowerCase()}`, `getTerminal${name}`)).toBeUndefined();
    const stdin = call("wasi:cli/stdin", "getStdin");
    if (!(stdin instanceof InputStream)) throw new Error("no stream");
    expect(text(stdin.blockingRead(10n))).toBe("in");
    expect(thrownBy(() => stdin.blockingRead(10n))).toBe(STREAM_CLOSED);
  });

  it("tells of exit before the guest could catch it", () => {
    for (const [name, arg, exitCode] of [
      ["exit", { tag: "ok" }, 0],
      ["exit", { tag: "err" }, 1],
      ["exitWithCode", 9, 9],
    ] as const) {
      expect(thrownBy(() => call("wasi:cli/exit", name, arg))).toEqual(new GuestExit(exitCode));
      expect(line.said()).toEqual([{ kind: "ended", ending: { kind: "exited", exitCode } }]);
    }
  });

  it("passes output and log lines on", () => {
    const stdout = call("wasi:cli/stdout", "getStdout");
    const stderr = call("wasi:cli/stderr", "getStderr");
    if (!(stdout instanceof OutputStream) || !(stderr instanceof OutputStream)) throw new Error("no stream");
    stdout.write(Buffer.from("out"));
    stderr.blockingWriteAndFlush(Buffer.from("err"));
    stderr.writeZeroes(2n);
    stderr.blockingWriteZeroesAndFlush(70_000n);
    stderr.flush();
    stderr.blockingFlush();
    call("wasi:logging/logging", "log", "warn", "db", "slow");
    call("wasi:logging/logging", "log", "info", "", "plain");
    const said = line
      .said()
      .flatMap((message) => (message.kind === "output" ? [`${message.stream} ${message.bytes.length}`] : []));
    expect(said).toEqual(["stdout 3", "stderr 3", "stderr 2", "stderr 65536", "stderr 4464", "stderr 15", "stderr 11"]);
  });

  it("has clocks to wait for, and randomness", () => {
    const past = call("wasi:clocks/monotonic-clock", "subscribeInstant", 0n);
    const soon = call("wasi:clocks/monotonic-clock", "subscribeDuration", 1_000_000n);
    const never = call("wasi:clocks/monotonic-clock", "subscribeDuration", 1n << 60n);
    if (!(past instanceof Pollable) || !(soon instanceof Pollable) || !(never instanceof Pollable))
      throw new Error("no pollable");
    expect([past.ready(), never.ready()]).toEqual([true, false]);
    expect(call("wasi:io/poll", "poll", [never, soon])).toEqual(Uint32Array.of(1));
    expect(call("wasi:io/poll", "poll", [past, never, soon])).toEqual(Uint32Array.of(0, 2));
    expect(() => call("wasi:io/poll", "poll", [])).toThrow("polled an empty list");
    expect(call("wasi:clocks/monotonic-clock", "resolution")).toBe(1n);
    expect(call("wasi:clocks/wall-clock", "now")).toMatchObject({
      seconds: expect.any(BigInt),
      nanoseconds: expect.any(Number),
    });
    expect(call("wasi:clocks/wall-clock", "resolution")).toEqual({ seconds: 0n, nanoseconds: 1_000 });
    for (const [name, prefix] of [
      ["random", "get"],
      ["insecure", "getInsecure"],
    ] as const) {
      expect(call(`wasi:random/${name}`, `${prefix}RandomBytes`, 8n)).toHaveLength(8);
      expect(call(`wasi:random/${name}`, `${prefix}RandomU64`)).toEqual(expect.any(BigInt));
    }
    expect(call("wasi:random/insecure-seed", "insecureSeed")).toHaveLength(2);
    expect(() => call("wasi:random/random", "getRandomBytes", 1n << 40n)).toThrow("random bytes at once");
  });

  it("has neither files nor a network", () => {
    expect(call("wasi:filesystem/preopens", "getDirectories")).toEqual([]);
    expect(call("wasi:filesystem/types", "filesystemErrorCode")).toBeUndefined();
    for (const name of ["Descriptor", "DirectoryEntryStream"]) {
      const found = host["wasi:filesystem/types"]?.[name];
      if (typeof found !== "function") throw new Error("no class");
      const methods = Object.getOwnPropertyNames(found.prototype).filter((method) => method !== "constructor");
      expect(methods.length).toBe(name === "Descriptor" ? 27 : 1);
      for (const method of methods)
        expect(thrownBy(() => Reflect.apply(found.prototype[method], undefined, []))).toBe("bad-descriptor");
    }
    expect(thrownBy(() => call("wasi:http/outgoing-handler", "handle"))).toEqual({ tag: "HTTP-request-denied" });
    expect(call("wasi:http/types", "httpErrorCode")).toBeUndefined();
  });
});

describe("an exchange", () => {
  it("reads the request body as it comes, without blocking and blocking", () => {
    const request = new IncomingRequest(exchange(), pump);
    expect([request.method(), request.scheme(), request.authority(), request.pathWithQuery()]).toEqual([
      { tag: "other", val: "PURGE" },
      { tag: "HTTPS" },
      "h",
      "/",
    ]);
    expect(request.headers().has("host")).toBe(true);
    const body = request.consume();
    expect(() => request.consume()).toThrow();
    const stream = body.stream();
    expect(() => body.stream()).toThrow();
    expect(stream.read(5n)).toHaveLength(0);
    expect(line.said()).toEqual([{ kind: "readBody" }]);
    const readable = stream.subscribe();
    expect(readable.ready()).toBe(false);
    line.post({ kind: "bodyChunk", bytes: Buffer.from("hello world") });
    readable.block();
    expect([text(stream.read(5n)), stream.skip(1n), text(stream.blockingRead(100n))]).toEqual(["hello", 1n, "world"]);
    line.post({ kind: "bodyEnd" });
    expect(thrownBy(() => stream.blockingSkip(1n))).toBe(STREAM_CLOSED);
    const trailers = IncomingBody.finish(body);
    expect(trailers.subscribe().ready()).toBe(true);
    expect([trailers.get(), trailers.get()]).toEqual([
      { tag: "ok", val: { tag: "ok", val: undefined } },
      { tag: "err" },
    ]);
  });

  it("tells the guest why its body failed", () => {
    const stream = new IncomingRequest(exchange(), pump).consume().stream();
    line.post({ kind: "bodyFailed", message: "the client went away" });
    const error = thrownBy(() => stream.blockingRead(1n));
    expect(error).toMatchObject({ tag: "last-operation-failed" });
    expect(Object(error).val.toDebugString()).toBe("the client went away");
  });

  it("sends a response, and stops at the window until some has been taken", () => {
    const current = exchange(false);
    const response = new OutgoingResponse(Fields.fromList([["x-a", Buffer.from("1")]]));
    response.setStatusCode(404);
    expect([response.statusCode(), response.headers().has("X-A")]).toEqual([404, true]);
    expect(() => response.setStatusCode(99)).toThrow();
    const body = response.body();
    expect(() => response.body()).toThrow();
    ResponseOutparam.set(new ResponseOutparam(current), { tag: "ok", val: response });
    const stream = body.write();
    expect(() => body.write()).toThrow();
    expect(stream.checkWrite()).toBe(BigInt(RESPONSE_WINDOW_BYTES));
    stream.write(new Uint8Array(RESPONSE_WINDOW_BYTES));
    expect(stream.checkWrite()).toBe(0n);
    expect(() => stream.write(new Uint8Array(1))).toThrow("had room for 0");
    const soon = call("wasi:clocks/monotonic-clock", "subscribeDuration", 1_000_000n);
    expect(call("wasi:io/poll", "poll", [stream.subscribe(), soon])).toEqual(Uint32Array.of(1));
    line.post({ kind: "responseTaken", bytes: windowCost(10) });
    stream.subscribe().block();
    expect(stream.checkWrite()).toBe(10n);
    OutgoingBody.finish(body);
    expect(thrownBy(() => stream.checkWrite())).toBe(STREAM_CLOSED);
    current.end();
    const kinds = line.said().map(({ kind }) => kind);
    expect(kinds).toEqual(["head", "body", "awaitReader", "handled"]);
  });

  it("moves bytes from one stream to another", () => {
    const source = new IncomingRequest(exchangeWithChunk("abcdef"), pump).consume().stream();
    const target = call("wasi:cli/stdout", "getStdout");
    if (!(target instanceof OutputStream)) throw new Error("no stream");
    expect([target.blockingSplice(source, 2n), target.splice(source, 3n), target.splice(source, 9n)]).toEqual([
      2n,
      3n,
      1n,
    ]);
    expect(line.said().flatMap((message) => (message.kind === "output" ? [text(message.bytes)] : []))).toEqual([
      "ab",
      "cde",
      "f",
    ]);
  });

  it("keeps a little of what is written before the response is set, and drops it with the body", () => {
    const early = new OutgoingBody();
    const stream = early.write();
    const room = stream.checkWrite();
    stream.write(new Uint8Array(Number(room)));
    expect(stream.checkWrite()).toBe(0n);
    const other = new OutgoingBody().write();
    expect(other.checkWrite()).toBe(0n);
    early[Symbol.dispose]();
    expect(other.checkWrite()).toBe(room);
    OutgoingBody.finish(early);
    expect(thrownBy(() => stream.checkWrite())).toBe(STREAM_CLOSED);
  });

  it("fails writes when nobody reads any more, and ends with what it has", () => {
    const current = exchange(false);
    const response = new OutgoingResponse(new Fields());
    const stream = response.body().write();
    ResponseOutparam.set(new ResponseOutparam(current), { tag: "ok", val: response });
    line.post({ kind: "responseClosed", message: "gone" });
    stream.subscribe().block();
    expect(thrownBy(() => stream.blockingWriteAndFlush(new Uint8Array(1)))).toBe(STREAM_CLOSED);
    current.end();
    expect(line.said().at(-1)).toEqual({ kind: "handled", isComplete: false });
  });

  it("is complete when the response has no body, and passes no informational response on", () => {
    const current = exchange(false);
    const outparam = new ResponseOutparam(current);
    expect(thrownBy(() => outparam.sendInformational())).toMatchObject({ tag: "internal-error" });
    ResponseOutparam.set(outparam, { tag: "ok", val: new OutgoingResponse(new Fields()) });
    ResponseOutparam.set(outparam, { tag: "err", val: { tag: "loop-detected" } });
    current.end();
    expect(line.said()).toEqual([
      { kind: "head", status: 200, headers: [] },
      { kind: "handled", isComplete: true },
    ]);
  });

  it("refuses a message that does not belong into a call", () => {
    line.post({ kind: "invoke", name: "f", values: [] });
    expect(() => pump.pumpWaiting()).toThrow("began a call within a call (invoke)");
  });

  function exchangeWithChunk(chunk: string): HttpExchange {
    const current = exchange();
    line.post({ kind: "bodyChunk", bytes: Buffer.from(chunk) });
    return current;
  }
});
