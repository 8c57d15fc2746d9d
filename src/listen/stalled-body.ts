/** Ends requests whose bodies stop coming: their handlers would wait for the rest for ever, each with a connection and a part of a message. */
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** Longer than handlers of client streams allow between two pieces, so that their answer comes first. */
const STALL_MAX_MS = 90_000;

/**
 * Cuts the request (over HTTP/1.1 with its connection) if nothing moves on it for `stallMaxMs` before its body has been read to its end.
 * Does not concern responses, which may take and last as long as they like. Only for handlers that read bodies as they come.
 */
export function cutStalledBody(request: IncomingMessage | Http2ServerRequest, stallMaxMs: number = STALL_MAX_MS): void {
  const timed = "stream" in request ? request.stream : request.socket;
  const cut = (): void => void timed.destroy();
  const done = (): void => {
    request.off("end", done);
    request.off("close", done);
    timed.off("timeout", cut);
    // A connection that is kept alive may have a timeout of another kind by now.
    if (!("timeout" in timed) || timed.timeout === stallMaxMs) timed.setTimeout(0);
  };
  timed.setTimeout(stallMaxMs);
  timed.on("timeout", cut);
  request.on("end", done);
  request.on("close", done);
}
