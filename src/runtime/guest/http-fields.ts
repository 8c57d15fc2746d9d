/** Resource `fields` of `wasi:http`: headers, with the checks that keep a guest from breaking the protocol around it. */

/** A name and a value, the value's bytes as Latin-1. */
export type HeaderPair = readonly [string, string];

type HeaderError = { readonly tag: "invalid-syntax" | "forbidden" | "immutable" };

const NAME_PATTERN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELDS_MAX_BYTES = 32 * 1024;

/** Headers that belong to the connection, which is not the guest's. */
const FORBIDDEN_NAMES = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** A list of headers; a name may occur several times. All together take at most 32 KiB. */
export class Fields {
  /** Values as Latin-1 text: text lies on the heap, which is bounded; byte arrays do not. */
  #pairs: HeaderPair[] = [];
  #totalBytes = 0;
  #isImmutable = false;

  /** `result<fields, header-error>` from what a guest gives. */
  static fromList(entries: readonly (readonly [string, Uint8Array])[]): Fields {
    const fields = new Fields();
    for (const [name, value] of entries) fields.append(name, value);
    return fields;
  }

  /** The headers of a request, which the guest cannot change; those of the connection are left out. */
  static fromRequest(pairs: readonly HeaderPair[]): Fields {
    const fields = new Fields();
    fields.#pairs = pairs
      .filter(([name]) => !FORBIDDEN_NAMES.has(name.toLowerCase()) || name.toLowerCase() === "host")
      .map(([name, value]) => [name.toLowerCase(), value] as const);
    fields.freeze();
    return fields;
  }

  get(name: string): Uint8Array[] {
    return this.#pairs.filter(([own]) => isSameName(own, name)).map(([, value]) => bytesFromText(value));
  }

  has(name: string): boolean {
    return this.#pairs.some(([own]) => isSameName(own, name));
  }

  set(name: string, values: readonly Uint8Array[]): void {
    for (const value of values) assertHeader(name, value);
    this.delete(name);
    for (const value of values) this.append(name, value);
  }

  delete(name: string): void {
    this.#assertMutable();
    assertHeader(name, new Uint8Array());
    this.#pairs = this.#pairs.filter(([own]) => !isSameName(own, name));
  }

  append(name: string, value: Uint8Array): void {
    this.#assertMutable();
    assertHeader(name, value);
    this.#totalBytes += name.length + value.length;
    if (this.#totalBytes > FIELDS_MAX_BYTES) throw { tag: "invalid-syntax" } satisfies HeaderError;
    this.#pairs.push([name, Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1")]);
  }

  entries(): (readonly [string, Uint8Array])[] {
    return this.#pairs.map(([name, value]) => [name, bytesFromText(value)] as const);
  }

  clone(): Fields {
    const copy = new Fields();
    copy.#pairs = [...this.#pairs];
    copy.#totalBytes = this.#totalBytes;
    return copy;
  }

  /** From here on the headers cannot be changed. */
  freeze(): void {
    this.#isImmutable = true;
  }

  /** As they go out. */
  toPairs(): HeaderPair[] {
    return [...this.#pairs];
  }

  #assertMutable(): void {
    if (this.#isImmutable) throw { tag: "immutable" } satisfies HeaderError;
  }
}

function isSameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

function assertHeader(name: string, value: Uint8Array): void {
  if (!NAME_PATTERN.test(name)) throw { tag: "invalid-syntax" } satisfies HeaderError;
  if (FORBIDDEN_NAMES.has(name.toLowerCase())) throw { tag: "forbidden" } satisfies HeaderError;
  // Control characters other than tab would end the header, or hide in it.
  if (value.some((byte) => (byte < 0x20 && byte !== 0x09) || byte === 0x7f))
    throw { tag: "invalid-syntax" } satisfies HeaderError;
}

function bytesFromText(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}
