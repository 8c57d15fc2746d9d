/** What travels, between whom, and how it breaks. */
import type { SimProcess } from "./sim-process.ts";

/** A process, and the host that it is on. */
export type Peer = { readonly host: string; readonly process: SimProcess };

/** Hears of what is carried. */
export type NetworkWatcher = {
  /** A request goes out. */
  readonly onSend: (from: Peer, to: string, path: string) => void;
  /** Bytes of a request, or of a streamed answer, have come to a process. */
  readonly onArrival: (from: string, to: Peer, path: string) => void;
};

/** One call on its way, from the side of the caller. */
export type Connection = {
  readonly number: number;
  readonly from: Peer;
  readonly to: Peer;
  readonly path: string;
  /** Ends it for the caller with an error. May be called twice. */
  readonly breakOff: (error: Error) => void;
  /** Who reads a streamed answer is to hear of it. */
  readonly onBreak: (fail: (error: Error) => void) => void;
  /** Something on it was lost: nothing more comes until the weather clears. */
  readonly stall: () => void;
};

/** Nobody listens. */
export function refused(address: string): Error {
  return Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: "ECONNREFUSED" });
}

/** A connection breaks. */
export function reset(address: string): Error {
  return Object.assign(new Error(`read ECONNRESET ${address}`), { code: "ECONNRESET" });
}

/** All bytes of a body. */
export async function collect(body: AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** A body in one piece, whole or broken off. */
export async function* once(bytes: Uint8Array, breaksOff: boolean): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
  if (breaksOff) throw reset("peer");
}
