/** A `GuestLine` in memory, with a real key-value store behind it and a clock that the test moves. */
import type { KvProvider } from "../../../src/providers/kv/kv.ts";
import { runKvCall } from "../../../src/providers/kv/kv-call.ts";
import { createMemoryKv } from "../../../src/providers/kv/memory-kv.ts";
import type { LocalRights } from "../../../src/providers/local-rights.ts";
import type { MessagingCall } from "../../../src/providers/messaging/messaging.ts";
import type { GuestLine, OutgoingExchange, OutgoingHead } from "../../../src/runtime/host/guest-line.ts";
import { MemorySink, MemorySource } from "./memory-bytes.ts";

type Response = Awaited<OutgoingExchange["response"]>;

/** A request that was sent by the line. */
export type SentRequest = {
  readonly head: OutgoingHead;
  readonly body: MemorySink;
  isAbandoned: boolean;
  respond(response: Response): void;
};

/** The line, and what the test sees of it. */
export interface MemoryLine extends GuestLine {
  readonly stdout: MemorySink;
  readonly stderr: MemorySink;
  readonly stdin: MemorySource;
  readonly store: KvProvider;
  readonly audits: string[];
  readonly logs: string[];
  readonly sent: SentRequest[];
  readonly messages: MessagingCall[];
  /** Sleeps that nobody has given up and that are not over. */
  readonly sleeping: Set<bigint>;
  advanceTo(ns: bigint): void;
}

/** What a test may choose. */
export type MemoryLineOptions = {
  readonly args?: readonly string[];
  readonly config?: Readonly<Record<string, string>>;
  readonly rights?: () => LocalRights;
  /** Buckets that the guest may use; every other is denied. Default: all. */
  readonly buckets?: readonly string[];
  readonly messaging?: GuestLine["messaging"];
  readonly onSent?: (request: SentRequest) => void;
};

/** Makes a line. */
export function memoryLine(options: MemoryLineOptions = {}): MemoryLine {
  const store = createMemoryKv();
  const audits: string[] = [];
  const logs: string[] = [];
  const sent: SentRequest[] = [];
  const messages: MessagingCall[] = [];
  const sleeping = new Map<bigint, PromiseWithResolvers<void>>();
  let nowNs = 1_000n;
  return {
    store,
    audits,
    logs,
    sent,
    messages,
    stdout: new MemorySink(),
    stderr: new MemorySink(),
    stdin: new MemorySource(),
    args: options.args ?? [],
    config: new Map(Object.entries(options.config ?? {})),
    get sleeping() {
      return new Set(sleeping.keys());
    },
    advanceTo(ns) {
      nowNs = ns;
      for (const [instant, { resolve }] of sleeping) {
        if (instant > ns) continue;
        sleeping.delete(instant);
        resolve();
      }
    },
    async kv(call) {
      if (options.buckets !== undefined && !options.buckets.includes(call.bucket))
        return { tag: "err", val: { isDenied: true, message: `no assignment allows ${call.kind}` } };
      try {
        return { tag: "ok", val: await runKvCall(store, call) };
      } catch (error) {
        return {
          tag: "err",
          val: { isDenied: false, message: error instanceof Error ? error.message : String(error) },
        };
      }
    },
    async messaging(call) {
      messages.push(call);
      return options.messaging?.(call) ?? { tag: "ok", val: { kind: "done" } };
    },
    http(head) {
      const { promise, resolve } = Promise.withResolvers<Response>();
      const request: SentRequest = { head, body: new MemorySink(), isAbandoned: false, respond: resolve };
      sent.push(request);
      options.onSent?.(request);
      return { body: request.body, response: promise, abandon: () => (request.isAbandoned = true) };
    },
    rights: options.rights ?? (() => ({ folders: [], env: {} })),
    audit: (permission, outcome) => audits.push(`${outcome} ${permission}`),
    log: (level, context, message) => void logs.push(`${level} [${context}] ${message}`),
    sleepUntil(instant) {
      const sleep = sleeping.get(instant) ?? Promise.withResolvers<void>();
      if (instant <= nowNs) sleep.resolve();
      else sleeping.set(instant, sleep);
      return { done: sleep.promise, cancel: () => sleeping.delete(instant) };
    },
    monotonicNowNs: () => nowNs,
    wallNowNs: () => 1_700_000_000_123_456_789n,
    fillRandom: (bytes) => bytes.fill(7),
  };
}
