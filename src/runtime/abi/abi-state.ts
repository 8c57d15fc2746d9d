/** What the core import ABI keeps for one copy of a guest between its calls. */
import type { Asked, GuestLine, Refusal } from "../host/guest-line.ts";
import type { AbiCall } from "./abi-call.ts";
import { AbiError } from "./abi-error.ts";
import type { GuestMemory, Room } from "./guest-memory.ts";

/** One for each copy. */
export type AbiState = {
  readonly line: GuestLine;
  readonly memory: GuestMemory;
  /** What the last call that gives bytes has given, so that a guest whose room was too small need not repeat the call. */
  result: Uint8Array;
  /** `name: value` lines of the last HTTP response, Latin-1. */
  responseHeaders: Uint8Array;
  /** The sentence of the last call that failed. */
  lastError: string;
};

/** One function, given its arguments; the number that it answers, or an `AbiError`. */
export type AbiFunction = (state: AbiState, call: AbiCall) => number | bigint | Promise<number>;

/** Gives bytes to the guest: as many as it has room for, and it can ask for the rest. Returns how many there are. */
export function giveResult(state: AbiState, out: Room, bytes: Uint8Array): number {
  state.result = bytes;
  state.memory.write(out, bytes);
  return bytes.length;
}

/** What the agent answered; throws `AbiError` for a refusal. */
export function answered<T>(asked: Asked<T>): T {
  if (asked.tag === "ok") return asked.val;
  throw refused(asked.val);
}

/** The error that a refusal is to the guest. */
export function refused({ isDenied, message }: Refusal): AbiError {
  return new AbiError(isDenied ? "denied" : "failed", message);
}

/** UTF-8 of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** All pieces, one after the other. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
