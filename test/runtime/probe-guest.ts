/** The HTTP guest of the tests, `guests/probe.c`, and how to talk to it. */
import { readFile } from "node:fs/promises";
import type { Guest, GuestRequest, GuestResponse, Runtime } from "../../src/runtime/runtime.ts";
import { guestStart } from "./guest-starts.ts";

/** Its bytes. */
export const PROBE: Uint8Array<ArrayBuffer> = new Uint8Array(
  await readFile(new URL("./guests/probe.wasm", import.meta.url)),
);

/** Starts it. */
export function startProbe(runtime: Runtime, options: Parameters<typeof guestStart>[1] = {}): Promise<Guest> {
  return runtime.start(guestStart(PROBE, options));
}

/** A request for one of its paths. */
export function request(pathWithQuery: string, body?: AsyncIterable<Uint8Array>): GuestRequest {
  return {
    method: "GET",
    scheme: "http",
    authority: "probe.localhost",
    pathWithQuery,
    headers: [["x-first", "1"]],
    body,
  };
}

/** The whole body as text. */
export async function textOf({ body }: GuestResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** The body that a path answers with. */
export async function get(guest: Guest, path: string, body?: AsyncIterable<Uint8Array>): Promise<string> {
  return textOf(await guest.fetch(request(path, body)));
}
