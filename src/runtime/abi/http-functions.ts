/** Outgoing HTTP for the core import ABI: whole bodies, one request at a time. */
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { ByteSink, ByteSource, OutgoingHead } from "../host/guest-line.ts";
import { invalid, numberBytes } from "./abi-call.ts";
import { AbiError } from "./abi-error.ts";
import { giveResult, joined, type AbiFunction } from "./abi-state.ts";
import { ARGUMENT_MAX_BYTES, TEXT_MAX_BYTES } from "./guest-memory.ts";

const READ_BYTES = 65_536;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Headers that frame the message or belong to the connection, which is not the guest's. */
const RESERVED_NAMES = new Set([
  "connection",
  "content-length",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** By the names of `CORE_ABI_SIGNATURES`. */
export const HTTP_FUNCTIONS: Readonly<Record<string, AbiFunction>> = {
  async http_request(state, call) {
    const [method, url, headerLines, body] = [call.text(), call.text(), call.bytes(TEXT_MAX_BYTES), call.bytes()];
    const [statusRoom, out] = [call.address(4), call.out()];
    const exchange = state.line.http(requestHead(method, url, headerLines, body.length));
    try {
      await writeAll(exchange.body, body);
      const response = await exchange.response;
      if (response.tag === "err") {
        const { code, message } = response.val;
        throw new AbiError(code === "HTTP-request-denied" ? "denied" : "failed", `${code}: ${message}`);
      }
      const whole = await readAll(response.val.body);
      state.memory.write(statusRoom, numberBytes(response.val.status, 4));
      const lines = response.val.headers.map(([name, value]) => `${name}: ${value}\n`).join("");
      state.responseHeaders = Uint8Array.from(Buffer.from(lines, "latin1"));
      return giveResult(state, out, whole);
    } finally {
      exchange.abandon();
    }
  },
  http_response_headers: (state, call) => giveResult(state, call.out(), state.responseHeaders),
};

/** Throws `AbiError` `invalid` for what cannot be sent. */
function requestHead(method: string, url: string, headerLines: Uint8Array, bodyBytes: number): OutgoingHead {
  if (!HEADER_NAME.test(method)) throw invalid(`Cannot send request: "${method}" is no method`);
  const { protocol, host, pathname, search, username, password } = parsedUrl(url);
  if (protocol !== "http:" && protocol !== "https:")
    throw invalid(`Cannot send request: the URL begins with "${protocol}" instead of http: or https:`);
  if (username !== "" || password !== "") throw invalid("Cannot send request: the URL holds credentials; use a header");
  const length: HttpHeaders = bodyBytes > 0 ? [["content-length", String(bodyBytes)]] : [];
  return {
    method,
    scheme: protocol === "https:" ? "https" : "http",
    authority: host,
    pathWithQuery: `${pathname}${search}`,
    headers: [...headersFromLines(Buffer.from(headerLines).toString("latin1")), ...length],
    hasBody: bodyBytes > 0,
    connectTimeoutMs: undefined,
    firstByteTimeoutMs: undefined,
    betweenBytesTimeoutMs: undefined,
  };
}

function parsedUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null) throw invalid(`Cannot send request: "${url}" is no URL`);
  return parsed;
}

/** `name: value` lines, ended by LF or CRLF. */
function headersFromLines(text: string): HttpHeaders {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  return lines.filter((line) => line !== "").map(headerFromLine);
}

function headerFromLine(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).trim();
  if (!HEADER_NAME.test(name) || hasControlCharacters(value))
    throw invalid(`Cannot send request: "${line.slice(0, 100)}" is no header line`);
  if (RESERVED_NAMES.has(name.toLowerCase()))
    throw invalid(`Cannot send request: the header ${name} is not the guest's to set`);
  return [name, value];
}

function hasControlCharacters(value: string): boolean {
  return Array.from(value).some((character) => (character < " " && character !== "\t") || character === "\u007f");
}

/** Writes until all is written or the sink fails; why it failed comes with the response. */
async function writeAll(sink: ByteSink, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    const room = sink.room();
    if (room === undefined) return;
    if (room === 0) {
      await sink.whenRoom();
      continue;
    }
    const piece = bytes.slice(offset, offset + room);
    sink.write(piece);
    offset += piece.length;
  }
  sink.finish();
}

async function readAll(source: ByteSource): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    await source.whenReady();
    const taken = source.take(READ_BYTES);
    if (taken.kind === "end") return joined(pieces);
    if (taken.kind === "failed") throw new AbiError("failed", taken.message);
    pieces.push(taken.bytes);
    total += taken.bytes.length;
    if (total > ARGUMENT_MAX_BYTES)
      throw new AbiError(
        "failed",
        `The response exceeds ${ARGUMENT_MAX_BYTES} bytes, which is all that this ABI takes`,
      );
  }
}
