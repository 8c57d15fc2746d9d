/**
 * What host code in a guest's thread may ask of the agent, in the name of one guest. The pool implements it with
 * messages; tests implement it in memory. Nothing here blocks the thread: what must wait gives a promise, and the
 * guest is suspended meanwhile.
 */
import type { HttpHeaders, OutgoingHttpError } from "../../providers/http/http.ts";
import type { KvAnswer, KvCall } from "../../providers/kv/kv.ts";
import type { LocalRights } from "../../providers/local-rights.ts";
import type { MessagingAnswer, MessagingCall } from "../../providers/messaging/messaging.ts";

/** Why the agent did not carry out an operation; `isDenied`: for want of a permission. */
export type Refusal = { readonly isDenied: boolean; readonly message: string };

/** The outcome of an operation that crosses to the agent. */
export type Asked<T> = { readonly tag: "ok"; readonly val: T } | { readonly tag: "err"; readonly val: Refusal };

/** Bytes that come in. */
export interface ByteSource {
  /** Whether `take` would give bytes, the end or a failure without waiting. */
  isReady(): boolean;
  /** Settles, never rejects, when `isReady()` has become true. */
  whenReady(): Promise<void>;
  /** `bytes`: at most `maxBytes`, maybe none; they belong to the caller. */
  take(maxBytes: number): SourceTaken;
  /** Nobody wants the rest. May be called twice. */
  cancel(): void;
}

/** What a source gave. */
export type SourceTaken =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly trailers: HttpHeaders | undefined }
  | { readonly kind: "failed"; readonly message: string };

/** Where bytes go. */
export interface ByteSink {
  /** Bytes that may be written now; 0 means wait. A sink that has failed gives `undefined`. */
  room(): number | undefined;
  /** Settles, never rejects, when `room()` is no longer 0. */
  whenRoom(): Promise<void>;
  /** At most `room()` bytes; the sink keeps the array. */
  write(bytes: Uint8Array): void;
  /** Why it failed, if it has. */
  readonly failure: string | undefined;
  /** The whole has been written. */
  finish(trailers?: HttpHeaders): void;
  /** What was written stays incomplete. */
  abort(message: string): void;
}

/** A request into the guest and the way for its one response. */
export interface IncomingExchange {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly headers: HttpHeaders;
  readonly body: ByteSource;
  /** At most once. The response goes out with what is written to the sink. */
  respond(head: { readonly status: number; readonly headers: HttpHeaders }): ByteSink;
  /** Instead of `respond`: the guest answered with an error code; a 500 with this sentence. */
  respondError(message: string): void;
}

/** A request that a guest has begun to send. */
export interface OutgoingExchange {
  readonly body: ByteSink;
  /** Never rejects. */
  readonly response: Promise<
    | {
        readonly tag: "ok";
        readonly val: { readonly status: number; readonly headers: HttpHeaders; readonly body: ByteSource };
      }
    | { readonly tag: "err"; readonly val: OutgoingHttpError }
  >;
  /** Ends whatever of it is still going on. May be called twice. */
  abandon(): void;
}

/** Head of an outgoing request. Timeouts beyond the provider's own are cut to it. */
export type OutgoingHead = {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly headers: HttpHeaders;
  /** `false`: nothing is written to the exchange's body, which is finished at once. */
  readonly hasBody: boolean;
  readonly connectTimeoutMs: number | undefined;
  readonly firstByteTimeoutMs: number | undefined;
  readonly betweenBytesTimeoutMs: number | undefined;
};

/** See the top of the file. */
export interface GuestLine {
  kv(call: KvCall): Promise<Asked<KvAnswer>> | Asked<KvAnswer>;
  messaging(call: MessagingCall): Promise<Asked<MessagingAnswer>>;
  http(head: OutgoingHead): OutgoingExchange;
  /** Standard output or error. */
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
  readonly stdin: ByteSource;
  readonly args: readonly string[];
  /** `wasi:config` values. */
  readonly config: ReadonlyMap<string, string>;
  /** What is checked in this thread (files, environment), as of now: ask anew for every operation. */
  rights(): LocalRights;
  /** Counts one operation that was checked in this thread against `permission`, such as `fs:read:/srv/data` or `env:HOME`. */
  audit(permission: string, outcome: "used" | "denied"): void;
  /** A structured line of `wasi:logging`. A promise for one who logs faster than the agent takes it. */
  log(
    level: "trace" | "debug" | "info" | "warn" | "error" | "critical",
    context: string,
    message: string,
  ): void | Promise<void>;
  /** Settles when the monotonic clock has come so far; `cancel` gives it up. */
  sleepUntil(monotonicNs: bigint): { readonly done: Promise<void>; cancel(): void };
  monotonicNowNs(): bigint;
  wallNowNs(): bigint;
  fillRandom(bytes: Uint8Array): void;
}
