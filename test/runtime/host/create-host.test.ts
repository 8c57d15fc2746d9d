import { describe, expect, it } from "vitest";
import { createHost } from "../../../src/runtime/host/create-host.ts";
import { GuestExit } from "../../../src/runtime/host/guest-exit.ts";
import {
  guestEntryOf,
  HOSTED_INTERFACES,
  hostedInterface,
  splitInterfaceName,
} from "../../../src/runtime/host/hosted-interfaces.ts";
import { runCommand } from "../../../src/runtime/host/run-command.ts";
import { deliverMessage } from "../../../src/runtime/host/wasmcloud-messaging.ts";
import { callHost, okOf } from "./host-calls.ts";
import { memoryLine } from "./memory-line.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("the table of hosted interfaces", () => {
  it("names exactly the interfaces that a host has", () => {
    const { interfaces } = createHost(memoryLine());
    const named = Object.keys(interfaces).map((name) => splitInterfaceName(name).base);
    expect(new Set(named)).toEqual(new Set(HOSTED_INTERFACES.keys()));
    for (const name of Object.keys(interfaces))
      if (name.includes("@")) expect(hostedInterface(name), name).toBeDefined();
  });

  it("has no more packages than a component imports", () => {
    const { interfaces } = createHost(memoryLine(), { imports: ["wasi:random/random@0.2.0", "a:b/c"] });
    expect(Object.keys(interfaces)).toEqual([
      "wasi:random/random",
      "wasi:random/insecure",
      "wasi:random/insecure-seed",
    ]);
  });

  it("has only functions that exist among those that may wait", () => {
    for (const [name, { functions, suspending = [] }] of Object.entries(createHost(memoryLine()).interfaces))
      for (const item of suspending) expect(functions[item], `${name}#${item}`).toBeTypeOf("function");
  });

  it.each([
    "wasi:io/streams@0.2.0",
    "wasi:http/types@0.2.12",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:config/store@0.2.0-draft",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/runtime@0.2.0-draft",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:logging/logging",
    "wasi:sockets/tcp@0.2.3",
    "wasmcloud:messaging/consumer@0.2.0",
  ])("has %s", (name) => expect(hostedInterface(name)).toBeDefined());

  it.each([
    "wasi:io/streams",
    "wasi:io/streams@0.3.0",
    "wasi:io/streams@0.2.0-rc-2023-11-10",
    "wasi:http/incoming-handler@0.2.0",
    "wasi:keyvalue/store@0.2.0-draft3",
    "wasi:blobstore/blobstore@0.2.0-draft",
    "wasi:toString/constructor@0.2.0",
    "constructor",
    "wasi:nn/tensor@0.2.0",
  ])("does not have %s", (name) => expect(hostedInterface(name)).toBeUndefined());

  it("says what an interface needs", () => {
    expect(hostedInterface("wasi:keyvalue/store@0.2.0-draft")?.needs).toBe("kv");
    expect(hostedInterface("wasi:filesystem/types@0.2.0")?.needs).toBe("files");
    expect(hostedInterface("wasi:io/poll@0.2.0")?.needs).toBeUndefined();
  });

  it("knows what a component is by its exports", () => {
    expect(guestEntryOf(["wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.3"])).toEqual({
      entry: "http",
      interface: "wasi:http/incoming-handler@0.2.3",
    });
    expect(guestEntryOf(["wasi:cli/run@0.2.9"])).toEqual({ entry: "command", interface: "wasi:cli/run@0.2.9" });
    expect(guestEntryOf(["wasmcloud:messaging/handler@0.2.0"])?.entry).toBe("messaging");
    expect(guestEntryOf(["wasi:cli/run@0.3.0", "a:b/c@1.0.0"])).toBeUndefined();
  });
});

describe("what surrounds a guest", () => {
  it("is what it was started with, and what it may see at this moment", () => {
    let env: Record<string, string> = { HOME: "/h", A: "1" };
    const line = memoryLine({ args: ["one", "two"], rights: () => ({ folders: [], env }) });
    const { interfaces } = createHost(line);
    const cli = (name: string, ...args: readonly unknown[]): unknown =>
      callHost(interfaces, `wasi:cli/${name}`, ...args);
    expect(cli("environment#get-arguments")).toEqual(["one", "two"]);
    expect(cli("environment#initial-cwd")).toBeUndefined();
    expect(cli("environment#get-environment")).toEqual([
      ["HOME", "/h"],
      ["A", "1"],
    ]);
    expect(line.audits).toEqual(["used env:HOME", "used env:A"]);
    env = { A: "1" };
    expect(cli("environment#get-environment")).toEqual([["A", "1"]]);
    for (const name of ["stdin", "stdout", "stderr"])
      expect(cli(`terminal-${name}#get-terminal-${name}`)).toBeUndefined();
  });

  it("has three streams", async () => {
    const line = memoryLine();
    line.stdin.put("in").end();
    const { interfaces } = createHost(line);
    const io = (name: string, ...args: readonly unknown[]): unknown =>
      callHost(interfaces, `wasi:io/streams#[method]${name}`, ...args);
    expect(okOf(io("input-stream.read", callHost(interfaces, "wasi:cli/stdin#get-stdin"), 9n))).toEqual(bytes("in"));
    io("output-stream.write", callHost(interfaces, "wasi:cli/stdout#get-stdout"), bytes("out"));
    io("output-stream.write", callHost(interfaces, "wasi:cli/stderr#get-stderr"), bytes("err"));
    expect(line.stdout.text).toBe("out");
    expect(line.stderr.text).toBe("err");
  });

  it("has configuration under the new and the old name", () => {
    const { interfaces } = createHost(memoryLine({ config: { a: "1", b: "2" } }));
    for (const name of ["store", "runtime"]) {
      expect(callHost(interfaces, `wasi:config/${name}#get`, "b")).toEqual({ tag: "ok", val: "2" });
      expect(callHost(interfaces, `wasi:config/${name}#get`, "constructor")).toEqual({ tag: "ok", val: undefined });
      expect(callHost(interfaces, `wasi:config/${name}#get-all`)).toEqual({
        tag: "ok",
        val: [
          ["a", "1"],
          ["b", "2"],
        ],
      });
    }
  });

  it("takes log lines", () => {
    const line = memoryLine();
    callHost(createHost(line).interfaces, "wasi:logging/logging#log", "warn", "ctx", "careful");
    expect(line.logs).toEqual(["warn [ctx] careful"]);
  });

  it("has randomness, up to 1 MiB at once", () => {
    const { interfaces } = createHost(memoryLine());
    expect(callHost(interfaces, "wasi:random/random#get-random-bytes", 3n)).toEqual(Uint8Array.of(7, 7, 7));
    expect(callHost(interfaces, "wasi:random/insecure#get-insecure-random-u64")).toBe(0x0707070707070707n);
    expect(callHost(interfaces, "wasi:random/insecure-seed#insecure-seed")).toEqual([
      0x0707070707070707n,
      0x0707070707070707n,
    ]);
    expect(callHost(interfaces, "wasi:random/random#get-random-bytes", 1024n * 1024n)).toHaveLength(1024 * 1024);
    expect(() => callHost(interfaces, "wasi:random/random#get-random-bytes", 1024n * 1024n + 1n)).toThrow("at most");
  });

  it("denies sockets, and counts it", () => {
    const line = memoryLine();
    const { interfaces } = createHost(line);
    const network = callHost(interfaces, "wasi:sockets/instance-network#instance-network");
    const denied = { tag: "err", val: "access-denied" };
    expect(callHost(interfaces, "wasi:sockets/tcp-create-socket#create-tcp-socket", "ipv4")).toEqual(denied);
    expect(callHost(interfaces, "wasi:sockets/udp-create-socket#create-udp-socket", "ipv6")).toEqual(denied);
    expect(callHost(interfaces, "wasi:sockets/ip-name-lookup#resolve-addresses", network, "a")).toEqual(denied);
    expect(line.audits).toEqual(Array.from({ length: 3 }, () => "denied net:sockets"));
  });
});

describe("running a command", () => {
  it("gives its exit code, and passes a trap on", async () => {
    const { interfaces } = createHost(memoryLine());
    const exit = (name: string, status: unknown) => async () => callHost(interfaces, `wasi:cli/exit#${name}`, status);
    expect(await runCommand(async () => ({ tag: "ok", val: undefined }))).toBe(0);
    expect(await runCommand(() => ({ tag: "err", val: undefined }))).toBe(1);
    expect(await runCommand(exit("exit", { tag: "ok", val: undefined }))).toBe(0);
    expect(await runCommand(exit("exit", { tag: "err", val: undefined }))).toBe(1);
    expect(await runCommand(exit("exit-with-code", 42))).toBe(42);
    expect(() => callHost(interfaces, "wasi:cli/exit#exit-with-code", 3)).toThrow(GuestExit);
    const trap = async (): Promise<never> => {
      throw new WebAssembly.RuntimeError("unreachable");
    };
    await expect(runCommand(trap)).rejects.toThrow("unreachable");
  });
});

describe("messages", () => {
  it("are published, and answered on request", async () => {
    const line = memoryLine({
      messaging: async (call) =>
        call.kind === "publish"
          ? { tag: "ok", val: { kind: "done" } }
          : { tag: "ok", val: { kind: "reply", message: { topic: "inbox", body: call.body, replyTo: undefined } } },
    });
    const { interfaces } = createHost(line);
    const message = { subject: "orders.new", body: bytes("1"), "reply-to": "inbox" };
    expect(await callHost(interfaces, "wasmcloud:messaging/consumer#publish", message)).toEqual({
      tag: "ok",
      val: undefined,
    });
    expect(await callHost(interfaces, "wasmcloud:messaging/consumer#request", "orders.ask", bytes("2"), 500)).toEqual({
      tag: "ok",
      val: { subject: "inbox", body: bytes("2"), "reply-to": undefined },
    });
    expect(line.messages).toEqual([
      { kind: "publish", message: { topic: "orders.new", body: bytes("1"), replyTo: "inbox" } },
      { kind: "request", topic: "orders.ask", body: bytes("2"), timeoutMs: 500 },
    ]);
  });

  it("that are refused come back with the reason", async () => {
    const line = memoryLine({
      messaging: async () => ({ tag: "err", val: { isDenied: true, message: "msg:publish:orders.* is missing" } }),
    });
    const { interfaces } = createHost(line);
    const refused = { tag: "err", val: "msg:publish:orders.* is missing" };
    expect(
      await callHost(interfaces, "wasmcloud:messaging/consumer#publish", { subject: "orders.new", body: bytes("1") }),
    ).toEqual(refused);
    expect(await callHost(interfaces, "wasmcloud:messaging/consumer#request", "orders.ask", bytes("2"), 500)).toEqual(
      refused,
    );
  });

  it("are handed to a guest, which may fail", async () => {
    const message = { topic: "t", body: bytes("b"), replyTo: "r" };
    const seen: unknown[] = [];
    const answer = await deliverMessage(message, async (record) => {
      seen.push(record);
      return { tag: "ok", val: undefined };
    });
    expect(answer).toEqual({ tag: "ok", val: undefined });
    expect(seen).toEqual([{ subject: "t", body: bytes("b"), "reply-to": "r" }]);
    expect(await deliverMessage(message, () => ({ tag: "err", val: "no such order" }))).toEqual({
      tag: "err",
      val: "no such order",
    });
  });
});
