/** Reading files and standard input whole, within a limit. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { byteSizeText } from "./byte-size.ts";
import { fault, isFault, type Fault, type Reason } from "../fault.ts";
import { UsageError } from "./usage-error.ts";

/** What is read and how much of it at most. */
export type BoundedReadOptions = {
  /** For messages: `module`, `standard input`. */
  readonly what: string;
  readonly maxBytes: number;
  /** The reason of the fault if it is more. */
  readonly tooLarge: Reason;
  readonly signal: AbortSignal;
  /** How messages name a file, if not by its path. */
  readonly shownPath?: string;
};

/** Reads a file whole; throws `UsageError` if it is missing, no file or unreadable, and a fault if it is too large. */
export async function readFileBounded(path: string, options: BoundedReadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const name = `${options.what} ${options.shownPath ?? path}`;
  const refuse = (problem: string): UsageError => new UsageError(`Cannot read ${name}: ${problem}`);
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw refuse("it is a folder");
    if (found.isFile() && found.size > options.maxBytes) throw tooLarge(name, options);
    return await collect(createReadStream(path), name, options);
  } catch (error) {
    if (error instanceof UsageError || isFault(error)) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw refuse(PROBLEMS[code] ?? code);
  }
}

/** Reads a stream to its end; throws a fault if it is too large. */
export async function readStreamBounded(
  stream: AsyncIterable<Uint8Array>,
  options: BoundedReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  return collect(stream, options.what, options);
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "it may not be read",
  EPERM: "it may not be read",
};

function tooLarge(name: string, options: BoundedReadOptions): Fault {
  const message = `Cannot read ${name}: it is larger than ${byteSizeText(options.maxBytes)}`;
  return fault(options.tooLarge, message, { subject: name });
}

async function collect(
  stream: AsyncIterable<Uint8Array>,
  name: string,
  options: BoundedReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    options.signal.throwIfAborted();
    length += piece.length;
    // A pipe or a growing file has no size beforehand.
    if (length > options.maxBytes) throw tooLarge(name, options);
    pieces.push(piece);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
