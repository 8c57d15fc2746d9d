/**
 * What the agent's thread and a guest's thread say to each other: one union per direction. Errors cross as data.
 *
 * A guest runs synchronously, so its thread does not come back to its event loop during a call. It posts a message
 * and waits on `GuestBoot.wake`; the agent's thread posts the answer to `GuestBoot.port` and wakes it.
 */
import type { MessagePort } from "node:worker_threads";
import type { KvAnswer, KvCall } from "../providers/kv/kv.ts";
import type { Ending } from "./runtime.ts";

/** Compiled code, ready to be instantiated in a guest's thread. */
export type GuestProgram =
  | { readonly kind: "command"; readonly module: WebAssembly.Module }
  | { readonly kind: "functions"; readonly module: WebAssembly.Module }
  | {
      readonly kind: "http";
      /** The JavaScript that jco generated for the component, as the body of a function that returns `instantiate`. */
      readonly glue: string;
      /** Core modules by the file names that the glue asks for. */
      readonly modules: ReadonlyMap<string, WebAssembly.Module>;
      /** Export that holds the handler: `wasi:http/incoming-handler@0.2.3`. */
      readonly handlerExport: string;
    };

/** What a guest's thread is started with. */
export type GuestBoot = {
  readonly port: MessagePort;
  /** One Int32: grows whenever something was posted to `port`. */
  readonly wake: SharedArrayBuffer;
  readonly program: GuestProgram;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
};

/** From the agent's thread to the guest's. */
export type ToGuest =
  | { readonly kind: "invoke"; readonly name: string; readonly values: readonly (number | bigint)[] }
  | {
      readonly kind: "request";
      readonly method: string;
      readonly scheme: "http" | "https";
      readonly authority: string;
      readonly pathWithQuery: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly hasBody: boolean;
    }
  /** Answers `readBody`. */
  | { readonly kind: "bodyChunk"; readonly bytes: Uint8Array }
  | { readonly kind: "bodyEnd" }
  | { readonly kind: "bodyFailed"; readonly message: string }
  /** What has left of the response, as `windowCost` counts; the guest may write as much more. */
  | { readonly kind: "responseTaken"; readonly bytes: number }
  /** Nobody reads the response any more; the guest's writes fail from here on. */
  | { readonly kind: "responseClosed"; readonly message: string }
  /** Output that has been taken, as `windowCost` counts. */
  | { readonly kind: "outputTaken"; readonly bytes: number }
  /** Answers `kv`. */
  | { readonly kind: "kvAnswer"; readonly answer: KvAnswer }
  | { readonly kind: "kvFailed"; readonly isDenied: boolean; readonly message: string };

/** From the guest's thread to the agent's. */
export type FromGuest =
  /** The guest can take calls, or its `_start` is about to be entered. */
  | { readonly kind: "ready" }
  /** Results of `invoke`; the guest is free again. */
  | { readonly kind: "returned"; readonly values: readonly (number | bigint)[] }
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly kind: "kv"; readonly call: KvCall }
  /** Asks for the next piece of the request body. */
  | { readonly kind: "readBody" }
  | { readonly kind: "head"; readonly status: number; readonly headers: readonly (readonly [string, string])[] }
  /** The guest answered with an error code instead of a response, or with nothing. */
  | { readonly kind: "noResponse"; readonly message: string }
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  /** The guest waits until the reader of its response has taken some. */
  | { readonly kind: "awaitReader" }
  /** The handler has returned; the guest is free again. `isComplete`: the body was finished, not dropped. */
  | { readonly kind: "handled"; readonly isComplete: boolean }
  /** The guest can run no more. */
  | { readonly kind: "ended"; readonly ending: Ending }
  /** Instantiation failed for what the module is, before any of its code ran. */
  | { readonly kind: "refused"; readonly importName: string; readonly message: string };

/** What moves to the other thread instead of being copied; whoever posts a piece of a body made it for that. */
export function transferable(message: ToGuest | FromGuest): ArrayBuffer[] {
  if (message.kind !== "bodyChunk" && message.kind !== "body" && message.kind !== "output") return [];
  return message.bytes.buffer instanceof ArrayBuffer ? [message.bytes.buffer] : [];
}

/** What a piece of output or of a response counts for in its window: a flood of single bytes is a flood of messages. */
export function windowCost(bytes: number): number {
  return bytes + MESSAGE_COST_BYTES;
}

const MESSAGE_COST_BYTES = 4096;

/** Output bytes that a guest may be ahead of the agent; a guest that floods its output waits. */
export const OUTPUT_WINDOW_BYTES: number = 256 * 1024;

/** Response bytes that a guest may be ahead of the reader of its response. */
export const RESPONSE_WINDOW_BYTES: number = 256 * 1024;
