/** Resource `fields` of `wasi:http`: headers and trailers, with the checks that keep a guest from breaking the protocol around it. */
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { DONE, err, ok, type WitResult } from "./wit-result.ts";

/** Variant `header-error`. */
export type HeaderError = { readonly tag: "invalid-syntax" | "forbidden" | "immutable"; readonly val: undefined };

/** All names and values of one `fields` together. */
export const FIELDS_MAX_BYTES: number = 32 * 1024;

/** What an entry costs beside its name and value; also bounds the number of empty ones. */
const ENTRY_BYTES = 32;

const NAME_PATTERN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Headers that belong to the connection, which is not the guest's. */
const FORBIDDEN_NAMES = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const INVALID = err<HeaderError>({ tag: "invalid-syntax", val: undefined });
const FORBIDDEN = err<HeaderError>({ tag: "forbidden", val: undefined });
const IMMUTABLE = err<HeaderError>({ tag: "immutable", val: undefined });

type Entry = readonly [string, string];

/** A list of headers; a name may occur several times, in any case. What does not fit is `invalid-syntax`: the interface has no other word. */
export class Fields {
  readonly #held: HeldBytes;
  /** Values as Latin-1 text, as they go out. */
  #entries: Entry[] = [];
  #bytes = 0;
  #isImmutable = false;

  constructor(held: HeldBytes) {
    this.#held = held;
  }

  /** `[static]fields.from-list`. */
  static fromList(
    held: HeldBytes,
    entries: readonly (readonly [string, Uint8Array])[],
  ): WitResult<Fields, HeaderError> {
    const fields = new Fields(held);
    for (const [name, value] of entries) {
      const appended = fields.append(name, value);
      if (appended.tag === "ok") continue;
      fields.drop();
      return appended;
    }
    return ok(fields);
  }

  /** What came from outside: cannot be changed; what belongs to the connection is left out, except `host`. */
  static fromOutside(held: HeldBytes, headers: HttpHeaders): Fields {
    const fields = new Fields(held);
    fields.#entries = headers.filter(([name]) => {
      const lower = name.toLowerCase();
      return lower === "host" || !FORBIDDEN_NAMES.has(lower);
    });
    fields.#isImmutable = true;
    return fields;
  }

  get(name: string): Uint8Array[] {
    return this.#entries.filter(([own]) => isSameName(own, name)).map(([, value]) => bytesFromText(value));
  }

  has(name: string): boolean {
    return this.#entries.some(([own]) => isSameName(own, name));
  }

  set(name: string, values: readonly Uint8Array[]): WitResult<undefined, HeaderError> {
    for (const value of values) {
      const problem = problemOf(name, value);
      if (problem !== undefined) return problem;
    }
    const before = this.#entries;
    const beforeBytes = this.#bytes;
    const deleted = this.delete(name);
    if (deleted.tag === "err") return deleted;
    for (const value of values) {
      const appended = this.append(name, value);
      if (appended.tag === "ok") continue;
      this.#charge(beforeBytes - this.#bytes);
      this.#entries = before;
      return appended;
    }
    return DONE;
  }

  delete(name: string): WitResult<undefined, HeaderError> {
    if (this.#isImmutable) return IMMUTABLE;
    const problem = problemOf(name);
    if (problem !== undefined) return problem;
    const kept = this.#entries.filter(([own]) => !isSameName(own, name));
    this.#charge(bytesOf(kept) - this.#bytes);
    this.#entries = kept;
    return DONE;
  }

  append(name: string, value: Uint8Array): WitResult<undefined, HeaderError> {
    if (this.#isImmutable) return IMMUTABLE;
    const problem = problemOf(name, value);
    if (problem !== undefined) return problem;
    const bytes = name.length + value.length + ENTRY_BYTES;
    if (this.#bytes + bytes > FIELDS_MAX_BYTES || !this.#charge(bytes)) return INVALID;
    this.#entries.push([name, Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1")]);
    return DONE;
  }

  entries(): (readonly [string, Uint8Array])[] {
    return this.#entries.map(([name, value]) => [name, bytesFromText(value)] as const);
  }

  /** Can be changed again. Throws, which is a trap, when the guest makes the host hold too much already: the function cannot refuse. */
  clone(): Fields {
    const copy = new Fields(this.#held);
    if (!copy.#charge(bytesOf(this.#entries))) throw new Error("holds more headers than the host keeps for a guest");
    copy.#entries = [...this.#entries];
    return copy;
  }

  /** From here on the headers cannot be changed. */
  freeze(): this {
    this.#isImmutable = true;
    return this;
  }

  /** As they go out. */
  toPairs(): HttpHeaders {
    return this.#entries;
  }

  /** Nobody needs them any more. Their entries stay readable for who has them by `toPairs`. */
  drop(): void {
    this.#charge(-this.#bytes);
  }

  #charge(bytes: number): boolean {
    if (!this.#held.take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, [name, value]) => sum + name.length + value.length + ENTRY_BYTES, 0);
}

function isSameName(left: string, right: string): boolean {
  return left === right || (left.length === right.length && left.toLowerCase() === right.toLowerCase());
}

function problemOf(name: string, value?: Uint8Array): WitResult<never, HeaderError> | undefined {
  if (!NAME_PATTERN.test(name)) return INVALID;
  if (FORBIDDEN_NAMES.has(name.toLowerCase())) return FORBIDDEN;
  // Control characters other than tab would end the header, or hide in it.
  if (value?.some((byte) => (byte < 0x20 && byte !== 0x09) || byte === 0x7f) === true) return INVALID;
  return undefined;
}

function bytesFromText(text: string): Uint8Array {
  // Not `Buffer.from(text, "latin1")` as it is: that is a view into a pool that others see as well.
  return Uint8Array.from(Buffer.from(text, "latin1"));
}
