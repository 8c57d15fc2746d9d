/**
 * The contract between the agent and whatever hosts guests. A runtime knows nothing of RPC, placement or
 * restart policy: it turns a module into a running guest and says, once, how that guest ended.
 */
import type { HttpHeaders, HttpRequest, HttpResponse } from "../providers/http/http.ts";
import type { KvAnswer, KvCall } from "../providers/kv/kv.ts";
import type { LocalRights } from "../providers/local-rights.ts";
import type { Message, MessagingAnswer, MessagingCall } from "../providers/messaging/messaging.ts";

/** What a module is, detected from its bytes. */
export type GuestKind =
  /** WASI 0.2 component that exports `wasi:http/incoming-handler`. */
  | "http"
  /** Runs once: component that exports `wasi:cli/run`, or core module that exports `_start` (WASI preview 1, WASIX). */
  | "command"
  /** Component that exports a messaging handler and no `wasi:http/incoming-handler`. */
  | "messaging"
  /** Component or core module whose exported functions are called one by one. */
  | "functions";

/** How a module is built. */
export type ModuleFormat = "component" | "wasi-p1" | "wasix" | "core";

/** What can be told of a module without running it. */
export type ModuleShape = {
  readonly kind: GuestKind;
  readonly format: ModuleFormat;
  /** All linear memories together, as far as they are its own; `maxBytes` is `undefined` if any has no maximum. */
  readonly memory: { readonly initialBytes: number; readonly maxBytes: number | undefined };
  /** Functions that `invoke` can call, with their types as WIT or Wasm text: `example:calc/ops#add` and `func(a: u32, b: u32) -> u32`. */
  readonly functions: readonly { readonly name: string; readonly type: string }[];
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
  /** CPU time of one call, or of a whole command, as far as the platform tells; `undefined` for no limit. */
  readonly cpuTimeMaxMs: number | undefined;
  /** Calls at a time. A guest is never re-entered: each further call that overlaps gets a copy of the guest with a memory of its own. */
  readonly concurrentCallsMax: number;
  /** Calls that may wait until another has ended; one more throws `CALL_QUEUE_FULL`. */
  readonly queuedCallsMax: number;
  /** Handles (resources, open files) that one copy of the guest may hold. */
  readonly openHandlesMax: number;
  /** Standard output, error and log lines together, in any minute. */
  readonly outputMaxBytesPerMinute: number;
  readonly outputMaxLinesPerMinute: number;
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
  /** Command line, beginning with the program's own name, as programs expect it. */
  readonly args: readonly string[];
  /** All of standard input; then end of file. */
  readonly stdin: Uint8Array;
  /** `wasi:config` values. */
  readonly config: Readonly<Record<string, string>>;
  /** In place of `env`, what the guest sees at first; see `Guest.setRights`. */
  readonly rights: LocalRights;
  /** `shared`: in a pool of threads together with others. `dedicated`: a thread of its own. Commands always have their own. */
  readonly isolation: "shared" | "dedicated";
  /** `none`: each call gets a fresh copy of the guest, which is thrown away after it. */
  readonly reuse: "instance" | "none";
  readonly limits: GuestLimits;
  readonly host: GuestHost;
};

/** What the agent does for a guest. */
export interface GuestHost {
  /** Carries out a key-value call, or rejects with a `Fault`: `CAPABILITY_DENIED` reaches the guest as `access-denied`, any other as `other(message)`. */
  kv(call: KvCall): Promise<KvAnswer>;
  /** Carries out a messaging call, or rejects with a `Fault`. */
  messaging(call: MessagingCall): Promise<MessagingAnswer>;
  /** Sends a request to the outside, or rejects with a `Fault` whose cause is an `OutgoingHttpError`. */
  http(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** Takes output as the guest writes it; must not throw. */
  output(stream: "stdout" | "stderr", bytes: Uint8Array): void;
  /** Takes a structured log line; must not throw. */
  log(level: string, context: string, message: string): void;
  /** Counts operations that the runtime itself checked against `LocalRights`; must not throw. */
  audit(permission: string, outcome: "used" | "denied", count: number): void;
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
  /** What came after the body, asked for once it was read to its end; `undefined` for nothing. */
  readonly trailers?: () => HttpHeaders | undefined;
};

/** Its response, which may end with trailers; the head is there as soon as the guest has set it, the body streams. A guest that answers with an error code or not at all makes a 500 with a sentence. */
export type GuestResponse = {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Must be read to its end or returned (`iterator.return()`), or the guest waits until its call's time is over. Throws a `Fault` if the guest ends midway. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body, if it was there when the head was; then nobody needs to read `body`. */
  readonly whole?: Uint8Array;
  /** Known when the body has been read to its end. */
  readonly trailers: Promise<HttpHeaders | undefined>;
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

/** Says when a caller goes away. An `AbortSignal` is one; whoever makes many calls may have something lighter. */
export interface CallerSignal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** One running guest. */
export interface Guest {
  readonly kind: GuestKind;
  /** Settles exactly once, when the guest can run no more; never rejects. */
  readonly ended: Promise<Ending>;
  /** Sends one request; throws a `Fault` (`CALL_TIMED_OUT`, `GUEST_TRAPPED`, `CALL_QUEUE_FULL`, `BODY_TOO_LARGE`, `INSTANCE_NOT_RUNNING`, `MODULE_KIND_UNSUPPORTED`). Aborting `signal` abandons the call. */
  fetch(request: GuestRequest, signal?: CallerSignal): Promise<GuestResponse>;
  /**
   * Calls an exported function. Arguments and results are JSON values: i32, f32, f64 as numbers, i64 as
   * decimal strings (safe integers are taken as well), NaN and infinities as strings; WIT types as
   * `component/json-value.ts` says. A function of a component is named `interface#function`; the interface's version may be left out.
   * Throws `FUNCTION_NOT_FOUND`, `ARGUMENT_INVALID` and what `fetch` throws.
   */
  invoke(name: string, args: readonly unknown[], signal?: CallerSignal): Promise<readonly unknown[]>;
  /** Hands a message to a guest that exports a messaging handler. Rejects with a `Fault` if the handler fails, traps or overruns, and with what `fetch` throws. */
  deliver(message: Message, signal?: CallerSignal): Promise<void>;
  /** Replaces what the guest may do in its own thread. Resolves when it is in force for every operation that begins later. */
  setRights(rights: LocalRights): Promise<void>;
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
