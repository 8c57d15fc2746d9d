/** Components other than HTTP handlers, on the real runtime: functions, message handlers, commands. */
import { readFile } from "node:fs/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../src/fault.ts";
import type { Guest, GuestHost } from "../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime, type StartOptions } from "./guest-starts.ts";
import { adaptedCommand } from "./host/component-guest.ts";

const runtime = testRuntime();

const CALCULATOR = new Uint8Array(
  await parse(`(component
    (core module $m
      (memory (export "memory") 1)
      (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
      (func (export "trap") unreachable))
    (core instance $i (instantiate $m))
    (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
    (func $trap (canon lift (core func $i "trap")))
    (instance $ops (export "add" (func $add)) (export "trap" (func $trap)))
    (export "example:calc/ops@0.1.0" (instance $ops)))`),
);

const SUBSCRIBER = new Uint8Array(await readFile(new URL("./guests/subscriber.wasm", import.meta.url)));

const startSubscriber = (options: StartOptions = {}): Promise<Guest> => runtime.start(guestStart(SUBSCRIBER, options));

describe("a component with functions", () => {
  it("says what they are, and is called with and without the interface's version", async () => {
    expect(await runtime.inspect(CALCULATOR)).toMatchObject({
      kind: "functions",
      format: "component",
      memory: { initialBytes: 65_536, maxBytes: undefined },
      functions: [
        { name: "example:calc/ops@0.1.0#add", type: "func(a: u32, b: u32) -> u32" },
        { name: "example:calc/ops@0.1.0#trap", type: "func()" },
      ],
    });
    const guest = await runtime.start(guestStart(CALCULATOR));
    expect(guest.kind).toBe("functions");
    expect(await guest.invoke("example:calc/ops@0.1.0#add", [2, 3])).toEqual([5]);
    expect(await guest.invoke("example:calc/ops#add", [4_000_000_000, 1])).toEqual([4_000_000_001]);
    await guest.kill();
  });

  it("is not disturbed by arguments that do not fit, nor by functions that it does not have", async () => {
    const guest = await runtime.start(guestStart(CALCULATOR));
    await expect(guest.invoke("example:calc/ops#add", [1, "x"])).rejects.toMatchObject({
      reason: Reason.ARGUMENT_INVALID,
      message: expect.stringMatching(/^Cannot call "example:calc\/ops#add": argument 2: expected .*, got string "x"$/),
    });
    await expect(guest.invoke("example:calc/ops#subtract", [])).rejects.toMatchObject({
      reason: Reason.FUNCTION_NOT_FOUND,
      message: expect.stringContaining("exports example:calc/ops@0.1.0#add, example:calc/ops@0.1.0#trap"),
    });
    expect(await guest.invoke("example:calc/ops#add", [1, 1])).toEqual([2]);
    await expect(guest.invoke("example:calc/ops#trap", [])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toEqual({ kind: "trapped", message: "unreachable" });
  });
});

describe("a component that handles messages", () => {
  it("is handed one after the other, and says when it could not handle one", async () => {
    const host = recordingHost();
    const guest = await startSubscriber({ host });
    expect(guest.kind).toBe("messaging");
    await guest.deliver({ topic: "orders.1", body: Buffer.from("first"), replyTo: undefined });
    const failing = guest.deliver({ topic: "orders.2", body: Buffer.from("fail no such order"), replyTo: undefined });
    await expect(failing).rejects.toMatchObject({
      reason: Reason.DELIVERY_FAILED,
      message: expect.stringContaining("no such order"),
    });
    await guest.deliver({ topic: "orders.3", body: Buffer.from("third"), replyTo: undefined });
    expect(host.written.stdout).toContain("orders.1 first\n");
    expect(host.written.stdout).toContain("orders.3 third\n");
    await guest.kill();
  });

  it("answers who wants an answer, and is told when it may not", async () => {
    const published: string[] = [];
    const host: GuestHost = {
      ...recordingHost(),
      messaging: async (call) => {
        if (call.kind === "publish")
          published.push(`${call.message.topic} ${Buffer.from(call.message.body).toString()}`);
        return { kind: "done" };
      },
    };
    const guest = await startSubscriber({ host });
    await guest.deliver({ topic: "orders.1", body: Buffer.from("hello"), replyTo: "inbox.7" });
    expect(published).toEqual(["inbox.7 echo: hello"]);
    await guest.kill();
  });

  it("is ended by a trap and by a message that takes too long", async () => {
    for (const [order, ending] of [
      ["trap", { kind: "trapped" }],
      ["spin", { kind: "limit", limit: "callTimeoutMs" }],
      ["sleep 60000", { kind: "limit", limit: "callTimeoutMs" }],
    ] as const) {
      const guest = await startSubscriber({ limits: { callTimeoutMs: 300 } });
      await expect(guest.deliver({ topic: "t", body: Buffer.from(order), replyTo: undefined })).rejects.toBeDefined();
      expect(await guest.ended).toMatchObject(ending);
    }
  });
});

describe("a component that is a command", () => {
  it("runs once, with its arguments, variables and input, and ends with its code", async () => {
    const walker = await adaptedCommand("./guests/walker.wasm");
    const host = recordingHost();
    const order = { host, args: ["walker", "surroundings"], env: { HOME: "/home" }, stdin: Buffer.from("first\n") };
    const guest = await runtime.start(guestStart(walker, order));
    expect(guest.kind).toBe("command");
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
    await vi.waitFor(() => expect(host.written.stdout).toContain("variable HOME=/home\n"));
    expect(host.written.stdout).toContain("line first\n");
  });
});
