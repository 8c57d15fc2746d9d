/** Resource `outgoing-body` of `wasi:http`: bytes that may be written before it is known where they go. */
import type { HttpExchange } from "./http-exchange.ts";
import type { MessagePump } from "./message-pump.ts";
import { OutputStream, STREAM_CLOSED, type ByteSink } from "./wasi-io.ts";

/** Bytes that are kept for bodies whose response has not been set, all of a guest's together. */
const UNATTACHED_MAX_BYTES = 64 * 1024;

let unattachedBytes = 0;

/** A body that is attached to its exchange when the response is set. */
export class OutgoingBody {
  /** What streams wait with; set once, before a guest's first call. */
  static pump: MessagePump | undefined;

  #exchange: HttpExchange | undefined;
  #waiting: Uint8Array[] = [];
  #isTaken = false;
  #isFinished = false;

  static finish(body: OutgoingBody): void {
    body.#isFinished = true;
    body.#exchange?.finishBody();
  }

  write(): OutputStream {
    if (this.#isTaken || OutgoingBody.pump === undefined) throw undefined;
    this.#isTaken = true;
    return new OutputStream(this.#sink(), OutgoingBody.pump);
  }

  /** The response has been set: what was written goes out now. */
  attach(exchange: HttpExchange): void {
    this.#exchange = exchange;
    for (const bytes of this.#waiting.splice(0)) {
      unattachedBytes -= bytes.length;
      exchange.responseBody.write(bytes);
    }
    if (this.#isFinished) exchange.finishBody();
  }

  /** Dropped: what waited is thrown away. */
  [Symbol.dispose](): void {
    for (const bytes of this.#waiting.splice(0)) unattachedBytes -= bytes.length;
  }

  #sink(): ByteSink {
    return {
      room: () => {
        if (this.#exchange !== undefined) return this.#exchange.responseBody.room();
        if (this.#isFinished) throw STREAM_CLOSED;
        return UNATTACHED_MAX_BYTES - unattachedBytes;
      },
      request: () => this.#exchange?.responseBody.request(),
      write: (bytes) => {
        if (this.#exchange !== undefined) return this.#exchange.responseBody.write(bytes);
        this.#waiting.push(new Uint8Array(bytes));
        unattachedBytes += bytes.length;
      },
    };
  }
}
