/** What becomes of the rest of a body that a handler did not want. HTTP/1.1 only: in HTTP/2 a stream concerns nobody else. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** How long the rest of a body may take. */
const DRAIN_MAX_MS = 5_000;

/**
 * Reads away what is left of a request's body, for at most `drainMaxMs`, after its answer is out. The next request on the
 * connection then begins where it should, and a client that is still sending sees the answer rather than a reset. One that goes on for
 * longer is cut.
 */
export function drainRest(request: IncomingMessage, drainMaxMs: number = DRAIN_MAX_MS): void {
  if (request.complete || request.destroyed) return;
  const cut = setTimeout(() => request.destroy(), drainMaxMs);
  cut.unref();
  request.once("close", () => clearTimeout(cut));
  request.once("end", () => clearTimeout(cut));
  // A connection that is cut while it drains has told its client all there is to tell.
  request.on("error", () => undefined);
  request.resume();
}

/**
 * Ends the connection with the answer if the request's body has not been read to its end by then: the rest of it would be taken for the next
 * request, or hold it up. For handlers that may destroy the request with its rest unread, as Connect does with a message that is too
 * long: nothing can read the rest away then. Known when the answer begins, so that is when it is asked.
 */
export function closeUnlessRead(request: IncomingMessage, response: ServerResponse): void {
  let keepAlive = response.shouldKeepAlive;
  Object.defineProperty(response, "shouldKeepAlive", {
    get: () => keepAlive && request.complete,
    set: (value: boolean) => {
      keepAlive = value;
    },
  });
}
