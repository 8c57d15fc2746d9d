/** A guest's line to an agent that is not there: a real key-value store, and everything else as a test says. */
import { createMemoryKv } from "../../../src/providers/kv/memory-kv.ts";
import { runKvCall } from "../../../src/providers/kv/kv-call.ts";
import type { KvProvider } from "../../../src/providers/kv/kv.ts";
import type { HttpHeaders, OutgoingHttpError } from "../../../src/providers/http/http.ts";
import type { MessagingAnswer, MessagingCall } from "../../../src/providers/messaging/messaging.ts";
import type { Asked, ByteSink, ByteSource, GuestLine, OutgoingHead } from "../../../src/runtime/host/guest-line.ts";

/** What the other side of an outgoing request answers. */
export type HttpAnswer =
  | {
      readonly tag: "ok";
      readonly val: { readonly status: number; readonly headers: HttpHeaders; readonly pieces: readonly Uint8Array[] };
    }
  | { readonly tag: "err"; readonly val: OutgoingHttpError };

/** What a test decides. */
export type AbiLineOptions = {
  readonly isDenied?: boolean;
  readonly config?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly messaging?: (call: MessagingCall) => Promise<Asked<MessagingAnswer>>;
  readonly http?: (head: OutgoingHead, body: string) => HttpAnswer;
  /** Bytes that the sink of a request takes at a time; by default 1,000. `undefined` from the first on: it has failed. */
  readonly sinkRoom?: () => number | undefined;
};

/** The line, and what has come over it. */
export type AbiLine = {
  readonly line: GuestLine;
  readonly kv: KvProvider;
  readonly logged: string[];
  readonly audited: string[];
  readonly abandoned: { count: number };
};

/** Makes it. */
export function abiLine(options: AbiLineOptions = {}): AbiLine {
  const kv = createMemoryKv();
  const [logged, audited, abandoned] = [[] as string[], [] as string[], { count: 0 }];
  const refusal = { tag: "err", val: { isDenied: true, message: "not granted" } } as const;
  const silent: ByteSink = {
    room: () => 1,
    whenRoom: async () => {},
    write: () => {},
    failure: undefined,
    finish: () => {},
    abort: () => {},
  };
  const line: GuestLine = {
    async kv(call) {
      if (options.isDenied === true) return refusal;
      try {
        return { tag: "ok", val: await runKvCall(kv, call) };
      } catch (error) {
        // As the agent's end does it: the guest gets the sentence.
        return {
          tag: "err",
          val: { isDenied: false, message: error instanceof Error ? error.message : String(error) },
        };
      }
    },
    messaging: options.messaging ?? (async () => refusal),
    http: (head) => outgoing(head, options, abandoned),
    stdout: silent,
    stderr: silent,
    stdin: sourceOf([]),
    args: [],
    config: new Map(Object.entries(options.config ?? {})),
    rights: () => ({ folders: [], env: options.env ?? {} }),
    audit: (permission, outcome) => void audited.push(`${permission} ${outcome}`),
    log: (level, context, message) => void logged.push(`${level} ${context}${message}`),
    sleepUntil: () => ({ done: Promise.resolve(), cancel: () => {} }),
    monotonicNowNs: () => 5n,
    wallNowNs: () => 1_700_000_000_123_456_789n,
    fillRandom: (bytes) => void bytes.fill(7),
  };
  return { line, kv, logged, audited, abandoned };
}

function outgoing(
  head: OutgoingHead,
  options: AbiLineOptions,
  abandoned: { count: number },
): ReturnType<GuestLine["http"]> {
  const written: Uint8Array[] = [];
  const answer = Promise.withResolvers<HttpAnswer>();
  const give = (): void =>
    answer.resolve(
      options.http?.(head, Buffer.concat(written).toString("latin1")) ?? {
        tag: "err",
        val: { code: "HTTP-request-denied", message: "not granted" },
      },
    );
  // Every second look finds no room, so that waiting is tried as well.
  let looks = 0;
  const room = (): number | undefined => {
    looks += 1;
    const given = options.sinkRoom === undefined ? 1_000 : options.sinkRoom();
    if (given === undefined) give();
    return given === undefined ? undefined : looks % 2 === 0 ? 0 : given;
  };
  return {
    body: {
      room,
      whenRoom: async () => {},
      write: (bytes) => void written.push(bytes),
      failure: undefined,
      finish: give,
      abort: give,
    },
    response: answer.promise.then((got) =>
      got.tag === "err"
        ? got
        : { tag: "ok", val: { status: got.val.status, headers: got.val.headers, body: sourceOf(got.val.pieces) } },
    ),
    abandon: () => void (abandoned.count += 1),
  };
}

/** Gives the pieces one by one; one that reads `!` is a failure. */
function sourceOf(pieces: readonly Uint8Array[]): ByteSource {
  const rest = [...pieces];
  return {
    isReady: () => true,
    whenReady: async () => {},
    take() {
      const bytes = rest.shift();
      if (bytes === undefined) return { kind: "end", trailers: undefined };
      return Buffer.from(bytes).equals(Buffer.from("!"))
        ? { kind: "failed", message: "broken off" }
        : { kind: "bytes", bytes };
    },
    cancel: () => {},
  };
}
