/**
 * The contract between the agent and whatever hosts guests. A runtime knows nothing of RPC, placement or
 * restart policy: it turns a module into a running guest and says, once, how that guest ended.
 */
import type { KvAnswer, KvCall } from "../providers/kv/kv.ts";

/** What a module is, detected from its bytes. */
export type GuestKind =
  /** WASI 0.2 component that exports `wasi:http/incoming-handler`. */
  | "http"
  /** WASI preview 1 command: a core module that exports `_start`. */
  | "command"
  /** Bare core module whose exported functions are called one by one. */
  | "functions";

/** What can be told of a module without running it. */
export type ModuleShape = {
  readonly kind: GuestKind;
  /** Names as the module spells them: `wasi:http/types@0.2.3`, `wasi_snapshot_preview1.fd_write`. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
};

/** What one guest may use. All are positive. */
export type GuestLimits = {
  /**
   * Linear memory, all memories of the guest together; rounded down to whole 64 KiB pages. A guest with several
   * memories gets an equal share for each beyond what they begin with. Also named by the ending of a guest that fills
   * the heap of its thread, which no limit here sets.
   */
  readonly memoryMaxBytes: number;
  /**
   * Wall time of one call (HTTP request until the guest has written the end of its response, or one exported function);
   * a guest that exceeds it is ended. If it was waiting for its caller at that moment, the caller gets
   * `CALL_TIMED_OUT` and the guest one more second to return.
   */
  readonly callTimeoutMs: number;
  /** Wall time of a whole command; `undefined` for no limit. */
  readonly commandTimeoutMs: number | undefined;
  /** From `start` until the guest can take calls, compilation excluded. */
  readonly startTimeoutMs: number;
  /** Calls that may wait for the guest, which takes one at a time; one more throws `CALL_QUEUE_FULL`. */
  readonly queuedCallsMax: number;
  readonly requestBodyMaxBytes: number;
  readonly responseBodyMaxBytes: number;
};

/** What a guest is started with. */
export type GuestStart = {
  /** The instance id; only for messages. */
  readonly id: string;
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  /** The module's bytes, asked for only when the compiled form is not cached. */
  readonly readModule: () => Promise<Uint8Array>;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** All of standard input; then end of file. */
  readonly stdin: Uint8Array;
  readonly limits: GuestLimits;
  readonly host: GuestHost;
};

/** What the agent does for a guest. */
export interface GuestHost {
  /** Carries out a key-value call, or rejects with a `Fault`: `CAPABILITY_DENIED` reaches the guest as `access-denied`, any other as `other(message)`. */
  kv(call: KvCall): Promise<KvAnswer>;
  /** Takes output as the guest writes it; must not throw. */
  output(stream: "stdout" | "stderr", bytes: Uint8Array): void;
}

/** A request into an HTTP guest. */
export type GuestRequest = {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** Path and query, beginning with `/`. */
  readonly pathWithQuery: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Read only as fast as the guest takes it. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
};

/** Its response; the head is there as soon as the guest has set it, the body streams. A guest that answers with an error code or not at all makes a 500 with a sentence. */
export type GuestResponse = {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Must be read to its end or returned (`iterator.return()`), or the guest waits until its call's time is over. Throws a `Fault` if the guest ends midway. */
  readonly body: AsyncIterable<Uint8Array>;
};

/** How a guest ended. */
export type Ending =
  /** A command returned, or any guest called `exit`. */
  | { readonly kind: "exited"; readonly exitCode: number }
  /** A Wasm trap, or running out of memory where the guest's allocator traps. */
  | { readonly kind: "trapped"; readonly message: string }
  /** A limit was exceeded; `limit` is the field name in `GuestLimits`. */
  | { readonly kind: "limit"; readonly limit: keyof GuestLimits; readonly message: string }
  /** Ended by `drain` or `kill`. */
  | { readonly kind: "stopped" }
  /** The hosting thread failed for a reason that is not the guest's. */
  | { readonly kind: "host-failed"; readonly message: string };

/** One running guest, in a worker thread of its own. */
export interface Guest {
  readonly kind: GuestKind;
  /** Settles exactly once, when the guest can run no more; never rejects. */
  readonly ended: Promise<Ending>;
  /** Sends one request; throws a `Fault` (`CALL_TIMED_OUT`, `GUEST_TRAPPED`, `CALL_QUEUE_FULL`, `BODY_TOO_LARGE`, `INSTANCE_NOT_RUNNING`, `MODULE_KIND_UNSUPPORTED`). Aborting `signal` abandons the call. */
  fetch(request: GuestRequest, signal?: AbortSignal): Promise<GuestResponse>;
  /**
   * Calls an exported function. Arguments and results are JSON values: i32, f32, f64 as numbers, i64 as
   * decimal strings (safe integers are taken as well), NaN and infinities as strings.
   * Throws `FUNCTION_NOT_FOUND`, `ARGUMENT_INVALID` and what `fetch` throws.
   */
  invoke(name: string, args: readonly unknown[], signal?: AbortSignal): Promise<readonly unknown[]>;
  /** Takes no new calls, lets those in flight finish within `graceMs`, then ends the guest. Resolves when it has ended. */
  drain(graceMs: number): Promise<void>;
  /** Ends the guest at once. May be called twice. */
  kill(): Promise<void>;
}

/** Hosts guests. */
export interface Runtime {
  readonly kinds: readonly GuestKind[];
  /** Tells what a module is; throws `MODULE_NOT_WASM`, `MODULE_MALFORMED`, `MODULE_KIND_UNSUPPORTED` or `MODULE_IMPORT_UNKNOWN` (naming the import). */
  inspect(module: Uint8Array): Promise<ModuleShape>;
  /**
   * Starts a guest and resolves when it can take calls (or, for a command, when `_start` has been entered).
   * Rejects with a `Fault`, leaving nothing behind: what `inspect` throws, `GUEST_TRAPPED`, `START_TIMED_OUT`,
   * `LIMIT_INVALID` (the module's initial memory is larger than `memoryMaxBytes`).
   */
  start(guest: GuestStart): Promise<Guest>;
  /** Ends every guest and helper thread. May be called twice. */
  close(): Promise<void>;
}
