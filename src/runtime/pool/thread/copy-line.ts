/** `GuestLine` of one copy of a guest, over the messages of its thread. */
import type { KvAnswer, KvCall } from "../../../providers/kv/kv.ts";
import type { LocalRights } from "../../../providers/local-rights.ts";
import type { MessagingAnswer, MessagingCall } from "../../../providers/messaging/messaging.ts";
import type { Asked, ByteSource, GuestLine, OutgoingExchange, OutgoingHead } from "../../host/guest-line.ts";
import { ownedBytes } from "../owned-bytes.ts";
import { OUTPUT_WINDOW_BYTES, windowCost, type CopyOrder, type FromThread, type ToCopy } from "../protocol.ts";
import { fixedSource } from "./message-source.ts";
import { MessageSink } from "./message-sink.ts";
import { createOutgoingCall, refusedExchange, type OutgoingCall } from "./outgoing-call.ts";
import type { Outbox } from "./outbox.ts";
import { fillRandom, monotonicNowNs, sleepUntil, wallNowNs, type Sleep } from "./thread-clocks.ts";

/** What the line needs of its thread. */
export type CopyLineDeps = {
  readonly order: CopyOrder;
  readonly outbox: Outbox;
  /** Reads changes of rights that have been posted, if there are any. */
  readonly lookForRights: () => void;
};

/** Requests of one copy under way; providers take fewer of a guest. */
const REQUESTS_MAX = 1_024;

/** The line, and its other end. A class, and nothing in it is made before the guest uses it: some guests get a copy for each call. */
export class CopyLine implements GuestLine {
  readonly args: readonly string[];
  readonly #order: CopyOrder;
  readonly #outbox: Outbox;
  readonly #lookForRights: () => void;
  #asked: Map<number, (answer: Asked<never>) => void> | undefined;
  #calls: Map<number, OutgoingCall> | undefined;
  #sleeps: Set<Sleep> | undefined;
  #stdout: MessageSink | undefined;
  #stderr: MessageSink | undefined;
  #config: ReadonlyMap<string, string> | undefined;
  #stdin: ByteSource | undefined;
  #rights: LocalRights;
  #rightsVersion: number;
  #lastAsk = 0;
  /** Requests that are not over for the agent: one that begins and gives up many must not be ahead of it without end. */
  #requestsBegun = 0;
  /** Log lines that the agent has not taken yet, as `windowCost` counts, and who waits until it has. */
  #logAheadBytes = 0;
  #logTaken: PromiseWithResolvers<void> | undefined;

  constructor({ order, outbox, lookForRights }: CopyLineDeps) {
    this.args = order.args;
    this.#order = order;
    this.#outbox = outbox;
    this.#lookForRights = lookForRights;
    this.#rights = order.rights;
    this.#rightsVersion = order.rightsVersion;
  }

  get config(): ReadonlyMap<string, string> {
    return (this.#config ??= new Map(Object.entries(this.#order.config)));
  }

  get stdin(): ByteSource {
    return (this.#stdin ??= fixedSource(this.#order.stdin));
  }

  get stdout(): MessageSink {
    return (this.#stdout ??= this.#outputSink("stdout"));
  }

  get stderr(): MessageSink {
    return (this.#stderr ??= this.#outputSink("stderr"));
  }

  kv(call: KvCall): Promise<Asked<KvAnswer>> {
    return this.#ask((copy, ask) => ({ kind: "kv", copy, ask, call }));
  }

  messaging(call: MessagingCall): Promise<Asked<MessagingAnswer>> {
    return this.#ask((copy, ask) => ({ kind: "messaging", copy, ask, call }));
  }

  http(head: OutgoingHead): OutgoingExchange {
    if (this.#requestsBegun >= REQUESTS_MAX) return refusedExchange();
    this.#requestsBegun += 1;
    this.#lastAsk += 1;
    const number = this.#lastAsk;
    const calls = (this.#calls ??= new Map());
    const onDone = (): void => void calls.delete(number);
    const call = createOutgoingCall({ copy: this.#order.copy, number, head, outbox: this.#outbox, onDone });
    calls.set(number, call);
    return call.exchange;
  }

  rights(): LocalRights {
    this.#lookForRights();
    return this.#rights;
  }

  audit(permission: string, outcome: "used" | "denied"): void {
    this.#outbox.audit(this.#order.copy, permission, outcome);
  }

  log(...[level, context, message]: Parameters<GuestLine["log"]>): void | Promise<void> {
    const post = (): void => {
      this.#logAheadBytes += windowCost(context.length + message.length);
      this.#outbox.postNow({ kind: "log", copy: this.#order.copy, level, context, message });
    };
    if (this.#logAheadBytes < OUTPUT_WINDOW_BYTES) return post();
    this.#logTaken ??= Promise.withResolvers();
    return this.#logTaken.promise.then(post);
  }

  sleepUntil(untilNs: bigint): Sleep {
    const sleeps = (this.#sleeps ??= new Set());
    const sleep = sleepUntil(untilNs, () => sleeps.delete(sleep));
    sleeps.add(sleep);
    return sleep;
  }

  monotonicNowNs(): bigint {
    return monotonicNowNs();
  }

  wallNowNs(): bigint {
    return wallNowNs();
  }

  fillRandom(bytes: Uint8Array): void {
    fillRandom(bytes);
  }

  /** Takes an answer of the agent. */
  accept(message: Extract<ToCopy, { ask: number }>): void {
    if (message.kind === "httpOver") {
      this.#requestsBegun -= 1;
      return;
    }
    if (message.kind !== "kvAnswer" && message.kind !== "messagingAnswer")
      return this.#calls?.get(message.ask)?.accept(message);
    const settle = this.#asked?.get(message.ask);
    this.#asked?.delete(message.ask);
    settle?.(message.answer as Asked<never>);
  }

  outputTaken(stream: "stdout" | "stderr" | "log", bytes: number): void {
    if (stream === "stdout") return this.#stdout?.taken(bytes);
    if (stream === "stderr") return this.#stderr?.taken(bytes);
    this.#logAheadBytes -= bytes;
    if (this.#logAheadBytes >= OUTPUT_WINDOW_BYTES) return;
    this.#logTaken?.resolve();
    this.#logTaken = undefined;
  }

  /** Takes rights that are not older than those that it has. */
  setRights(rights: LocalRights, version: number): void {
    if (version < this.#rightsVersion) return;
    this.#rightsVersion = version;
    this.#rights = rights;
  }

  /** Gives up all that goes on in the name of the copy. */
  close(): void {
    for (const call of this.#calls?.values() ?? []) call.exchange.abandon();
    for (const sleep of this.#sleeps ?? []) sleep.cancel();
    this.#asked?.clear();
    this.#calls?.clear();
    this.#sleeps?.clear();
  }

  #ask<Answer>(message: (copy: number, ask: number) => FromThread): Promise<Asked<Answer>> {
    this.#lastAsk += 1;
    this.#outbox.post(message(this.#order.copy, this.#lastAsk));
    const { promise, resolve } = Promise.withResolvers<Asked<Answer>>();
    this.#asked ??= new Map();
    this.#asked.set(this.#lastAsk, resolve);
    return promise;
  }

  #outputSink(stream: "stdout" | "stderr"): MessageSink {
    const { copy } = this.#order;
    return new MessageSink({
      windowBytes: OUTPUT_WINDOW_BYTES,
      // At once: what a guest has written last is what tells why it hangs.
      onWrite: (bytes) => this.#outbox.postNow({ kind: "output", copy, stream, bytes: ownedBytes(bytes) }),
      onFinish: () => undefined,
      onAbort: () => undefined,
      onWait: () => undefined,
    });
  }
}
