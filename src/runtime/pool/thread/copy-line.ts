/** `GuestLine` of one copy of a guest, over the messages of its thread. */
import type { KvAnswer } from "../../../providers/kv/kv.ts";
import type { LocalRights } from "../../../providers/local-rights.ts";
import type { MessagingAnswer } from "../../../providers/messaging/messaging.ts";
import type { Asked, ByteSink, GuestLine } from "../../host/guest-line.ts";
import { ownedBytes } from "../owned-bytes.ts";
import { OUTPUT_WINDOW_BYTES, windowCost, type CopyOrder, type FromThread, type ToCopy } from "../protocol.ts";
import { fixedSource } from "./message-source.ts";
import { createMessageSink, type MessageSink } from "./message-sink.ts";
import { createOutgoingCall, refusedExchange, type OutgoingCall } from "./outgoing-call.ts";
import type { Outbox } from "./outbox.ts";
import { fillRandom, monotonicNowNs, sleepUntil, wallNowNs, type Sleep } from "./thread-clocks.ts";

/** The line, and its other end. */
export interface CopyLine extends GuestLine {
  /** Takes an answer of the agent. */
  accept(message: Extract<ToCopy, { ask: number }>): void;
  outputTaken(stream: "stdout" | "stderr" | "log", bytes: number): void;
  /** Takes rights that are not older than those that it has. */
  setRights(rights: LocalRights, version: number): void;
  /** Gives up all that goes on in the name of the copy. */
  close(): void;
}

/** What the line needs of its thread. */
export type CopyLineDeps = {
  readonly order: CopyOrder;
  readonly outbox: Outbox;
  /** Reads changes of rights that have been posted, if there are any. */
  readonly lookForRights: () => void;
};

/** Requests of one copy under way; providers take fewer of a guest. */
const REQUESTS_MAX = 1_024;

/** Opens the line; nothing is allocated for what the guest does not use. */
export function openCopyLine({ order, outbox, lookForRights }: CopyLineDeps): CopyLine {
  const { copy } = order;
  const asked = new Map<number, (answer: Asked<never>) => void>();
  const calls = new Map<number, OutgoingCall>();
  const sleeps = new Set<Sleep>();
  const output: { stdout?: MessageSink; stderr?: MessageSink } = {};
  let config: ReadonlyMap<string, string> | undefined;
  let stdin: GuestLine["stdin"] | undefined;
  let { rights, rightsVersion } = order;
  let lastAsk = 0;
  /** Requests that are not over for the agent: one that begins and gives up many must not be ahead of it without end. */
  let requestsBegun = 0;
  /** Log lines that the agent has not taken yet, as `windowCost` counts, and who waits until it has. */
  let logAheadBytes = 0;
  let logTaken: PromiseWithResolvers<void> | undefined;

  function ask<Answer>(message: (ask: number) => FromThread): Promise<Asked<Answer>> {
    lastAsk += 1;
    outbox.post(message(lastAsk));
    const { promise, resolve } = Promise.withResolvers<Asked<Answer>>();
    asked.set(lastAsk, resolve);
    return promise;
  }

  function outputSink(stream: "stdout" | "stderr"): ByteSink {
    output[stream] ??= createMessageSink({
      windowBytes: OUTPUT_WINDOW_BYTES,
      // At once: what a guest has written last is what tells why it hangs.
      onWrite: (bytes) => outbox.postNow({ kind: "output", copy, stream, bytes: ownedBytes(bytes) }),
      onFinish: () => undefined,
      onAbort: () => undefined,
      onWait: () => undefined,
    });
    return output[stream].sink;
  }

  return {
    args: order.args,
    get config() {
      config ??= new Map(Object.entries(order.config));
      return config;
    },
    get stdin() {
      stdin ??= fixedSource(order.stdin);
      return stdin;
    },
    get stdout() {
      return outputSink("stdout");
    },
    get stderr() {
      return outputSink("stderr");
    },
    kv: (call) => ask<KvAnswer>((number) => ({ kind: "kv", copy, ask: number, call })),
    messaging: (call) => ask<MessagingAnswer>((number) => ({ kind: "messaging", copy, ask: number, call })),
    http(head) {
      if (requestsBegun >= REQUESTS_MAX) return refusedExchange();
      requestsBegun += 1;
      lastAsk += 1;
      const number = lastAsk;
      const call = createOutgoingCall({ copy, number, head, outbox, onDone: () => calls.delete(number) });
      calls.set(number, call);
      return call.exchange;
    },
    rights() {
      lookForRights();
      return rights;
    },
    audit: (permission, outcome) => outbox.audit(copy, permission, outcome),
    log(level, context, message) {
      const post = (): void => {
        logAheadBytes += windowCost(context.length + message.length);
        outbox.postNow({ kind: "log", copy, level, context, message });
      };
      if (logAheadBytes < OUTPUT_WINDOW_BYTES) return post();
      logTaken ??= Promise.withResolvers();
      return logTaken.promise.then(post);
    },
    sleepUntil(untilNs) {
      const sleep = sleepUntil(untilNs, () => sleeps.delete(sleep));
      sleeps.add(sleep);
      return sleep;
    },
    monotonicNowNs,
    wallNowNs,
    fillRandom,
    accept(message) {
      if (message.kind === "httpOver") {
        requestsBegun -= 1;
        return;
      }
      if (message.kind !== "kvAnswer" && message.kind !== "messagingAnswer")
        return calls.get(message.ask)?.accept(message);
      const settle = asked.get(message.ask);
      asked.delete(message.ask);
      settle?.(message.answer as Asked<never>);
    },
    outputTaken(stream, bytes) {
      if (stream !== "log") return output[stream]?.taken(bytes);
      logAheadBytes -= bytes;
      if (logAheadBytes >= OUTPUT_WINDOW_BYTES) return;
      logTaken?.resolve();
      logTaken = undefined;
    },
    setRights(changed, version) {
      if (version < rightsVersion) return;
      rightsVersion = version;
      rights = changed;
    },
    close() {
      for (const call of calls.values()) call.exchange.abandon();
      for (const sleep of sleeps) sleep.cancel();
      asked.clear();
      calls.clear();
      sleeps.clear();
    },
  };
}
