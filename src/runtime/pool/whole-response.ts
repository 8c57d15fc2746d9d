/** Responses that are there as a whole when their head is, as most are: nothing streams, and nobody waits. */
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { GuestResponse } from "../runtime.ts";
import type { ResponsePart } from "./protocol.ts";

/** The response of a part that has all of it; `undefined` for one that has not, or is larger than `maxBytes`. */
export function wholeResponse({ head, pieces, end }: ResponsePart, maxBytes: number): GuestResponse | undefined {
  if (head === undefined || end === undefined || end.failure !== undefined) return undefined;
  const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  if (whole === undefined || whole.length > maxBytes) return undefined;
  return new WholeResponse(head, whole, end.trailers);
}

/** What the caller gets when the guest answered with an error code of `wasi:http`, or not at all. */
export function errorResponse(message: string): GuestResponse {
  const head = { status: 500, headers: [["content-type", "text/plain; charset=utf-8"]] as const };
  return new WholeResponse(head, new TextEncoder().encode(`The handler gave no response: ${message}\n`), undefined);
}

class WholeResponse implements GuestResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly whole: Uint8Array;
  readonly #trailers: HttpHeaders | undefined;

  constructor(head: NonNullable<ResponsePart["head"]>, whole: Uint8Array, trailers: HttpHeaders | undefined) {
    this.status = head.status;
    this.headers = head.headers;
    this.whole = whole;
    this.#trailers = trailers;
  }

  get body(): AsyncIterable<Uint8Array> {
    return once(this.whole);
  }

  get trailers(): Promise<HttpHeaders | undefined> {
    return Promise.resolve(this.#trailers);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
