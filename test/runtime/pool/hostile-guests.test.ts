import { MessageChannel } from "node:worker_threads";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { CopyLine } from "../../../src/runtime/pool/thread/copy-line.ts";
import { createOutbox } from "../../../src/runtime/pool/thread/outbox.ts";
import { createRunQueue, type Occupant } from "../../../src/runtime/pool/thread/run-queue.ts";
import { openThreadBoard } from "../../../src/runtime/pool/thread-board.ts";
import { guestStart, recordingHost, testRuntime } from "../guest-starts.ts";
import { wasmFromWat } from "../wat.ts";

const wasm = async (text: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await parse(text));

describe("a memory that threads could share", () => {
  const sleeper = (kind: string): string =>
    `(module (memory (export "memory") 1 1 ${kind})
      (func (export "f") (result i32) (memory.atomic.notify (i32.const 0) (i32.const 1))))`;

  it("is refused in a bare module, which could put its thread to sleep with it", async () => {
    const module = await wasm(sleeper("shared"));
    await expect(testRuntime().start(guestStart(module))).rejects.toMatchObject({
      reason: Reason.MODULE_KIND_UNSUPPORTED,
      message: expect.stringContaining("shared between threads"),
    });
  });

  it("is refused in a component", async () => {
    const component = await wasm(`(component
      (core module $m ${sleeper("shared").slice("(module".length)}
      (core instance $i (instantiate $m))
      (func (export "f") (result s32) (canon lift (core func $i "f"))))`);
    await expect(testRuntime().inspect(component)).rejects.toMatchObject({ reason: Reason.MODULE_KIND_UNSUPPORTED });
  });

  it("is not taken for one that is the guest's alone", async () => {
    const guest = await testRuntime().start(guestStart(await wasm(sleeper(""))));
    expect(await guest.invoke("f", [])).toEqual([0]);
  });
});

describe("a component of many core modules", () => {
  const modules = (count: number): string => `(component
    ${Array.from({ length: count }, (_, index) => `(core module $m${index} (func (export "f") (result i32) i32.const 7) ${'(@custom "a" "")'.repeat(9_000)})`).join("\n")}
    ${"(core instance (instantiate $m0))".repeat(100)}
    (core instance $i (instantiate $m0))
    (func (export "f") (result s32) (canon lift (core func $i "f"))))`;

  it("is refused if they have more sections together than are read for one component", async () => {
    await expect(testRuntime().inspect(await wasm(modules(12)))).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
      message: expect.stringContaining("100000 definitions"),
    });
  });

  it("runs if they have fewer, however often one is instantiated", async () => {
    const guest = await testRuntime().start(guestStart(await wasm(modules(3))));
    expect(await guest.invoke("f", [])).toEqual([7]);
  });
});

describe("guests that take turns for ever", () => {
  it("leave nothing of their turns behind in their thread", async () => {
    const { port1, port2 } = new MessageChannel();
    const { queue, outbox } = createRunQueue({
      board: openThreadBoard(),
      makeOutbox: (onFirst) => createOutbox(port1, onFirst),
      beforeEach: () => undefined,
    });
    const [one, other] = [occupant(1), occupant(2)];
    let turns = 0;
    const done = Promise.withResolvers<void>();
    /** There is always somebody who waits, so the queue is never empty. */
    function turn(mine: Occupant): void {
      turns += 1;
      if (turns === 10_000) done.resolve();
      queue.add(mine === one ? other : one, () => turn(mine === one ? other : one));
      queue.leave(mine);
    }
    const first = firstStep(() => turn(one));
    queue.add(other, () => queueMicrotask(() => queue.leave(other)));
    queue.add(one, first.take());
    await done.promise;
    await vi.waitFor(() => {
      collectGarbage();
      expect(first.isHeld()).toBe(false);
    });
    expect(turns).toBeGreaterThan(10_000);
    expect(outbox.isEmpty).toBe(true);
    one.isGone = other.isGone = true;
    port1.close();
    port2.close();
  });
});

type TestOccupant = Occupant & { isGone: boolean };

function occupant(number: number): TestOccupant {
  const account = { cpuTimeMaxMs: undefined, cpuUsedUs: 0, stretches: 0, longestMs: 0 };
  return { number, isGone: false, ...account, onCpuOverrun: () => undefined };
}

/** A step that is handed out once, and whether anybody still has it. */
function firstStep(step: () => void): { take(): () => void; isHeld(): boolean } {
  let held: (() => void) | undefined = () => step();
  const ref = new WeakRef(held);
  return {
    take() {
      const taken = held;
      held = undefined;
      return taken ?? (() => undefined);
    },
    isHeld: () => ref.deref() !== undefined,
  };
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect();
}

describe("log lines", () => {
  it("wait as soon as a guest is a window ahead of the agent, and go on when it has taken some", async () => {
    const { port1, port2 } = new MessageChannel();
    const posted = vi.spyOn(port1, "postMessage");
    const outbox = createOutbox(port1, () => undefined);
    const line = new CopyLine({ order: copyOrder(), outbox, lookForRights: () => undefined });
    let waiting: void | Promise<void> = undefined;
    let lines = 0;
    while (waiting === undefined && lines < 10_000) {
      waiting = line.log("info", "", "x");
      lines += 1;
    }
    expect(lines).toBeLessThan(100);
    const before = posted.mock.calls.length;
    line.outputTaken("log", 64 * 1024);
    await waiting;
    expect(posted.mock.calls.length).toBe(before + 1);
    port1.close();
    port2.close();
  });

  it("all arrive, in order, from one that writes more than a window of them", async () => {
    const LOG = wasmFromWat(`(module
      (import "wasmatrix" "log" (func $log (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "f") (param $times i32)
        (loop $again
          (i32.store8 (i32.const 0) (i32.add (i32.const 65) (i32.rem_u (local.get $times) (i32.const 26))))
          (drop (call $log (i32.const 2) (i32.const 0) (i32.const 1)))
          (local.set $times (i32.sub (local.get $times) (i32.const 1)))
          (br_if $again (local.get $times)))))`);
    let text = "";
    const host = {
      ...recordingHost(),
      log: (_level: string, _context: string, message: string) => void (text += message),
    };
    const guest = await testRuntime().start(guestStart(LOG, { host }));
    await guest.invoke("f", [1_000]);
    const letters = Array.from({ length: 1_000 }, (_, index) => String.fromCharCode(65 + ((1_000 - index) % 26)));
    await vi.waitFor(() => expect(text).toBe(letters.join("")));
  });
});

describe("requests to the outside", () => {
  const HEAD = {
    method: "GET",
    scheme: "http",
    authority: "127.0.0.1",
    pathWithQuery: "/",
    headers: [],
    hasBody: false,
    connectTimeoutMs: undefined,
    firstByteTimeoutMs: undefined,
    betweenBytesTimeoutMs: undefined,
  } as const;

  it("are refused to one that begins and gives up more than the agent has heard of, and taken again when it has", async () => {
    const { port1, port2 } = new MessageChannel();
    const outbox = createOutbox(port1, () => undefined);
    const posted = vi.spyOn(outbox, "post");
    const line = new CopyLine({ order: copyOrder(), outbox, lookForRights: () => undefined });
    for (let count = 0; count < 5_000; count++) line.http(HEAD).abandon();
    const heads = posted.mock.calls.filter(([message]) => message.kind === "http");
    expect(heads.length).toBeLessThan(2_000);
    expect(await line.http(HEAD).response).toMatchObject({ tag: "err", val: { code: "connection-limit-reached" } });
    for (const [message] of heads) if (message.kind === "http") line.accept({ kind: "httpOver", ask: message.ask });
    const before = posted.mock.calls.length;
    line.http(HEAD);
    expect(posted.mock.calls.slice(before)).toMatchObject([[{ kind: "http" }]]);
    port1.close();
    port2.close();
  });

  it("may follow each other without end", async () => {
    const REQUEST = wasmFromWat(`(module
      (import "wasmatrix" "http_request" (func $ask (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "GET") (data (i32.const 16) "http://localhost/")
      (func (export "f") (param $times i32) (result i32) (local $answer i32)
        (loop $again
          (local.set $answer (call $ask (i32.const 0) (i32.const 3) (i32.const 16) (i32.const 17) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 200) (i32.const 300) (i32.const 100)))
          (local.set $times (i32.sub (local.get $times) (i32.const 1)))
          (br_if $again (local.get $times)))
        (local.get $answer)))`);
    const host = {
      ...recordingHost(),
      http: async () => ({ status: 200, headers: [], body: empty(), trailers: () => undefined }),
    };
    const guest = await testRuntime().start(guestStart(REQUEST, { host }));
    expect(await guest.invoke("f", [1_500])).toEqual([0]);
  });
});

async function* empty(): AsyncGenerator<Uint8Array> {}

function copyOrder(): ConstructorParameters<typeof CopyLine>[0]["order"] {
  return {
    copy: 1,
    ticket: 1,
    program: 1,
    guestKind: "functions",
    id: "a1",
    args: [],
    stdin: new Uint8Array(),
    config: {},
    rights: { folders: [], env: {} },
    rightsVersion: 0,
    openHandlesMax: 10,
    cpuTimeMaxMs: undefined,
  };
}
