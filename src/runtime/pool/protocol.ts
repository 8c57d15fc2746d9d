/**
 * What the agent's thread and a pool thread say to each other: arrays of these unions, one array for all that one
 * turn of an event loop has to say. Errors cross as data. A copy is named by its number, a call by its ticket; both
 * are never used twice in a thread. What names a copy or a call that is gone is passed over.
 */
import type { HttpHeaders, OutgoingHttpError } from "../../providers/http/http.ts";
import type { KvAnswer, KvCall } from "../../providers/kv/kv.ts";
import type { LocalRights } from "../../providers/local-rights.ts";
import type { Message, MessagingAnswer, MessagingCall } from "../../providers/messaging/messaging.ts";
import type { Asked, OutgoingHead } from "../host/guest-line.ts";
import type { Ending, GuestKind } from "../runtime.ts";
import type { ThreadProgram } from "./thread-program.ts";

/** What a copy of a guest is opened with. */
export type CopyOrder = {
  readonly copy: number;
  readonly ticket: number;
  readonly program: number;
  readonly guestKind: GuestKind;
  /** The instance id; only for messages. */
  readonly id: string;
  readonly args: readonly string[];
  readonly stdin: Uint8Array;
  readonly config: Readonly<Record<string, string>>;
  readonly rights: LocalRights;
  readonly rightsVersion: number;
  readonly openHandlesMax: number;
  readonly cpuTimeMaxMs: number | undefined;
};

/** What begins a call. */
export type CallOrder =
  /** Arguments: numbers and bigints for a core module, WIT values for a component. */
  | { readonly kind: "invoke"; readonly name: string; readonly args: readonly unknown[] }
  | {
      readonly kind: "request";
      readonly method: string;
      readonly scheme: "http" | "https";
      readonly authority: string;
      readonly pathWithQuery: string;
      readonly headers: HttpHeaders;
      readonly hasBody: boolean;
    }
  | { readonly kind: "deliver"; readonly message: Message }
  /** A command, whole. */
  | { readonly kind: "run" };

/** From the agent's thread. */
export type ToThread =
  /** `mappings`: what each copy takes of the process's memory mappings. */
  | { readonly kind: "program"; readonly number: number; readonly program: ThreadProgram; readonly mappings: number }
  /** No copy of it will be opened any more. */
  | { readonly kind: "forget"; readonly program: number }
  | ({ readonly kind: "open" } & CopyOrder)
  | {
      readonly kind: "call";
      readonly copy: number;
      readonly ticket: number;
      readonly order: CallOrder;
      readonly isLast: boolean;
    }
  /** The call is not wanted if it has not begun; answered with `finished`. */
  | { readonly kind: "withdraw"; readonly copy: number; readonly ticket: number }
  /** Ends a copy wherever it is; answered with `gone`. */
  | { readonly kind: "dispose"; readonly copy: number }
  /** `version` grows with each change of a guest's rights. */
  | {
      readonly kind: "rights";
      readonly copies: readonly number[];
      readonly rights: LocalRights;
      readonly version: number;
    }
  /** Output that has been taken, as `windowCost` counts; `log`: log lines. */
  | {
      readonly kind: "outputTaken";
      readonly copy: number;
      readonly stream: "stdout" | "stderr" | "log";
      readonly bytes: number;
    }
  | ({ readonly copy: number } & ToCopy);

/** About a request body, a response or an operation of one copy. */
export type ToCopy =
  /** Answers `readBody`. */
  | { readonly kind: "body"; readonly ticket: number; readonly given: BodyGiven }
  /** What has left of the response, as `windowCost` counts; the guest may write as much more. */
  | { readonly kind: "responseTaken"; readonly ticket: number; readonly bytes: number }
  /** Nobody reads the response any more; the guest's writes fail from here on. */
  | { readonly kind: "responseClosed"; readonly ticket: number; readonly message: string }
  | { readonly kind: "kvAnswer"; readonly ask: number; readonly answer: Asked<KvAnswer> }
  | { readonly kind: "messagingAnswer"; readonly ask: number; readonly answer: Asked<MessagingAnswer> }
  /** The outgoing request `ask` has a response, or none. */
  | {
      readonly kind: "httpAnswer";
      readonly ask: number;
      readonly answer:
        | { readonly tag: "ok"; readonly val: { readonly status: number; readonly headers: HttpHeaders } }
        | { readonly tag: "err"; readonly val: OutgoingHttpError };
    }
  /** It is over for the agent, however it ended. */
  | { readonly kind: "httpOver"; readonly ask: number }
  /** What has left of its body. */
  | { readonly kind: "httpTaken"; readonly ask: number; readonly bytes: number }
  | { readonly kind: "httpClosed"; readonly ask: number; readonly message: string }
  /** Answers `httpRead`. */
  | { readonly kind: "httpBody"; readonly ask: number; readonly given: BodyGiven };

/** The next of a body that flows into a guest. */
export type BodyGiven =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly trailers: HttpHeaders | undefined }
  | { readonly kind: "failed"; readonly message: string };

/** How a call came out. */
export type CallOutcome =
  /** Results of `invoke`, as JSON values. */
  | { readonly kind: "returned"; readonly values: readonly unknown[] }
  /** A message handler's answer; `failure` if it is an error. */
  | { readonly kind: "done"; readonly failure: string | undefined }
  /** A command has run to its end. */
  | { readonly kind: "exited"; readonly exitCode: number }
  /** The HTTP handler has returned. */
  | { readonly kind: "handled" }
  /** It was withdrawn before it began. */
  | { readonly kind: "withdrawn" };

/** A stretch of a response: all that a guest has said of it since the last. */
export type ResponsePart = {
  readonly kind: "response";
  readonly copy: number;
  readonly ticket: number;
  head: { readonly status: number; readonly headers: HttpHeaders } | undefined;
  /** The guest answered with an error code, or with nothing. */
  error: string | undefined;
  readonly pieces: Uint8Array[];
  /** The body is complete, or will never be. */
  end: { readonly trailers: HttpHeaders | undefined; readonly failure: string | undefined } | undefined;
};

/** From a pool thread. */
export type FromThread =
  /** The copy can take calls. */
  | { readonly kind: "opened"; readonly copy: number }
  /** Instantiation failed for what the module is, before any of its code ran. */
  | { readonly kind: "refused"; readonly copy: number; readonly importName: string; readonly message: string }
  /** The copy can run no more, by its own doing. */
  | { readonly kind: "ended"; readonly copy: number; readonly ending: Ending }
  /** The copy was disposed of, as told. */
  | { readonly kind: "gone"; readonly copy: number }
  /** The copy is free again; `isGone`: it was its last call. */
  | {
      readonly kind: "finished";
      readonly copy: number;
      readonly ticket: number;
      readonly outcome: CallOutcome;
      readonly isGone: boolean;
    }
  | ResponsePart
  /** Asks for the next piece of the request body. */
  | { readonly kind: "readBody"; readonly copy: number; readonly ticket: number }
  /** The guest waits until the reader of its response has taken some. */
  | { readonly kind: "awaitReader"; readonly copy: number; readonly ticket: number }
  | { readonly kind: "output"; readonly copy: number; readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | {
      readonly kind: "log";
      readonly copy: number;
      readonly level: string;
      readonly context: string;
      readonly message: string;
    }
  | {
      readonly kind: "audit";
      readonly copy: number;
      readonly permission: string;
      readonly outcome: "used" | "denied";
      readonly count: number;
    }
  | { readonly kind: "kv"; readonly copy: number; readonly ask: number; readonly call: KvCall }
  | { readonly kind: "messaging"; readonly copy: number; readonly ask: number; readonly call: MessagingCall }
  | ({ readonly copy: number } & FromExchange);

/** About an outgoing request. */
export type FromExchange =
  | { readonly kind: "http"; readonly ask: number; readonly head: OutgoingHead }
  | { readonly kind: "httpPiece"; readonly ask: number; readonly bytes: Uint8Array }
  | { readonly kind: "httpEnd"; readonly ask: number; readonly failure: string | undefined }
  /** Asks for the next piece of the response's body. */
  | { readonly kind: "httpRead"; readonly ask: number }
  | { readonly kind: "httpAbandon"; readonly ask: number };

/** What a piece of output or of a body counts for in its window: a flood of single bytes is a flood of messages. */
export function windowCost(bytes: number): number {
  return bytes + MESSAGE_COST_BYTES;
}

const MESSAGE_COST_BYTES = 4096;

/** Output bytes that a copy may be ahead of the agent; one that floods its output waits. */
export const OUTPUT_WINDOW_BYTES: number = 256 * 1024;

/** Bytes of a response, or of an outgoing request's body, that a copy may be ahead of its reader. */
export const BODY_WINDOW_BYTES: number = 256 * 1024;
