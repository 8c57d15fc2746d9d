/** What a pool thread has to say: collected during a turn of its event loop and posted in one message. */
import type { MessagePort } from "node:worker_threads";
import { addMoved } from "../owned-bytes.ts";
import type { FromThread, ResponsePart } from "../protocol.ts";

/** Collects messages to the agent's thread. */
export interface Outbox {
  /** Goes with the turn. */
  post(message: FromThread): void;
  /** Goes at once, with all that waits: a guest that never yields must not keep it back. */
  postNow(message: FromThread): void;
  /** What goes with this turn of the response to `ticket`; more may be added to it. */
  response(copy: number, ticket: number): ResponsePart;
  /** Counts one operation; equal ones of a turn go as one. */
  audit(copy: number, permission: string, outcome: "used" | "denied"): void;
  readonly isEmpty: boolean;
  /** Flushes if what waits has waited long for the end of its turn. */
  flushIfLate(): void;
  flush(): void;
}

/** Longest that a guest that does not yield keeps back what it has written before. */
const LATE_MS = 1;

type Audit = Extract<FromThread, { kind: "audit" }>;

/** Makes an empty outbox; `onFirst` is told of the first message of a turn and must see to a `flush`. */
export function createOutbox(port: MessagePort, onFirst: () => void): Outbox {
  let waiting: FromThread[] = [];
  let firstMs = 0;
  const responses = new Map<number, ResponsePart>();
  const audits = new Map<string, Audit & { count: number }>();

  function post(message: FromThread): void {
    waiting.push(message);
    if (waiting.length > 1) return;
    firstMs = performance.now();
    onFirst();
  }

  function flush(): void {
    if (waiting.length === 0) return;
    const moved: ArrayBuffer[] = [];
    for (const message of waiting) {
      if (message.kind === "output" || message.kind === "httpPiece") addMoved(moved, message.bytes);
      if (message.kind === "response") addMoved(moved, ...message.pieces);
    }
    const batch = waiting;
    waiting = [];
    responses.clear();
    audits.clear();
    port.postMessage(batch, moved);
  }

  function flushIfLate(): void {
    if (waiting.length > 0 && performance.now() - firstMs > LATE_MS) flush();
  }

  return {
    post,
    postNow(message) {
      waiting.push(message);
      flush();
    },
    response(copy, ticket) {
      const begun = responses.get(ticket);
      if (begun !== undefined) return begun;
      const part: ResponsePart = {
        kind: "response",
        copy,
        ticket,
        head: undefined,
        error: undefined,
        pieces: [],
        end: undefined,
      };
      responses.set(ticket, part);
      post(part);
      return part;
    },
    audit(copy, permission, outcome) {
      const key = `${copy} ${outcome} ${permission}`;
      const counted = audits.get(key);
      if (counted !== undefined) {
        counted.count += 1;
        return flushIfLate();
      }
      const entry = { kind: "audit", copy, permission, outcome, count: 1 } as const satisfies Audit;
      audits.set(key, entry);
      post(entry);
    },
    get isEmpty() {
      return waiting.length === 0;
    },
    flushIfLate,
    flush,
  };
}
