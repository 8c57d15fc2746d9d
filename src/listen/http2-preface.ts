/** Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes of a connection (RFC 9113, section 3.4). */
import type { Socket } from "node:net";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Reads until the bytes either differ from the preface or complete it, puts them back and says which it was. A
 * connection that says nothing, or stops inside the preface, for `timeoutMs` is cut.
 *
 * The partial preface is collected, never put back early: unshifting what is not yet decided makes the stream
 * readable again at once, and the process spins.
 */
export function sniffHttp2Preface(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean) => void): void {
  let collected: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("readable", read);
    socket.off("error", stop);
    socket.off("close", stop);
  };
  const read = (): void => {
    for (;;) {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      collected = collected.length === 0 ? chunk : Buffer.concat([collected, chunk]);
      const compared = Math.min(collected.length, PREFACE.length);
      const matches = collected.compare(PREFACE, 0, compared, 0, compared) === 0;
      if (matches && compared < PREFACE.length) continue;
      stop();
      socket.unshift(collected);
      decide(matches);
      return;
    }
  };
  socket.on("readable", read);
  socket.on("error", stop);
  socket.on("close", stop);
}
