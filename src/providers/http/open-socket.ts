/** Opens the connection that requests to one address go over. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { HttpTarget } from "./http-domain.ts";

/** What to connect to. */
export type SocketPlan = {
  readonly target: HttpTarget;
  /** Dialled as it is: nothing resolves a name again after the check. */
  readonly address: string;
  /** From `trustFrom`. */
  readonly trust: SecureContext;
  /** Gives the attempt up. */
  readonly signal: AbortSignal;
};

/** What certificates to trust: the host's own authorities, and those in `extraCa` (PEM). Throws if that is no certificate. */
export function trustFrom(extraCa: readonly string[]): SecureContext {
  const own = extraCa.length === 0 ? {} : { ca: [...getCACertificates("default"), ...extraCa] };
  return createSecureContext({ minVersion: "TLSv1.2", ...own });
}

/** Resolves when the connection is there, TLS included; rejects with Node's error, or with the signal's reason. */
export function openSocket(plan: SocketPlan): Promise<Socket> {
  const { target, address, signal } = plan;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(asError(signal.reason));
    const socket = target.scheme === "https" ? tlsSocket(plan) : connectTcp({ host: address, port: target.port });
    const onAbort = (): void => fail(asError(signal.reason));
    const leave = (): void => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      socket.off("close", onClose);
    };
    const fail = (error: Error): void => {
      leave();
      // An error after this one tells nobody anything: the socket is gone.
      socket.on("error", () => undefined);
      socket.destroy();
      reject(error);
    };
    // A peer that closes in the middle of a TLS handshake may do so without an error.
    const onClose = (): void => fail(Object.assign(new Error("connection closed"), { code: "ECONNRESET" }));
    signal.addEventListener("abort", onAbort);
    socket.on("error", fail);
    socket.on("close", onClose);
    socket.once(target.scheme === "https" ? "secureConnect" : "connect", () => {
      leave();
      socket.setNoDelay(true);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
      resolve(socket);
    });
  });
}

const TCP_KEEP_ALIVE_MS = 60_000;

function tlsSocket({ target, address, trust }: SocketPlan): Socket {
  return connectTls({
    host: address,
    port: target.port,
    // TLS knows server names only for domains; the certificate of an address is checked against the address itself.
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    secureContext: trust,
    ALPNProtocols: ["http/1.1"],
    // Said outright, because NODE_TLS_REJECT_UNAUTHORIZED in the agent's environment would change the default.
    rejectUnauthorized: true,
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
