/** Trailers through the real runtime, by a component that passes requests on (`host/guests/relay.c`). */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { HttpHeaders, HttpRequest } from "../../../src/providers/http/http.ts";
import { guestStart, recordingHost, testRuntime } from "../guest-starts.ts";
import { request, textOf } from "../probe-guest.ts";

const RELAY = new Uint8Array(await readFile(new URL("../host/guests/relay.wasm", import.meta.url)));

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe("trailers", () => {
  it("of a request are there for the guest once it has read the body, and those of its response follow that", async () => {
    const guest = await testRuntime().start(guestStart(RELAY));
    let known: HttpHeaders | undefined;
    const body = (async function* () {
      yield* pieces("some", "thing");
      known = [["x-sum", "9"]];
    })();
    const response = await guest.fetch({ ...request("/echo", body), trailers: () => known });
    expect(await textOf(response)).toBe("something");
    expect(await response.trailers).toEqual([["x-sum", "9"]]);
    const without = await guest.fetch(request("/echo", pieces("some")));
    expect([await textOf(without), await without.trailers]).toEqual(["some", undefined]);
    await guest.kill();
  });

  it("of the response to a guest's own request reach the guest", async () => {
    const sent: string[] = [];
    const http = async ({ body }: HttpRequest) => {
      for await (const piece of body ?? []) sent.push(Buffer.from(piece).toString());
      return { status: 200, headers: [], body: pieces("ans", "wer"), trailers: () => [["x-sum", "6"] as const] };
    };
    const guest = await testRuntime().start(guestStart(RELAY, { host: { ...recordingHost(), http } }));
    const response = await guest.fetch(request("/", pieces("question")));
    expect(await textOf(response)).toBe("answer");
    expect(await response.trailers).toEqual([["x-sum", "6"]]);
    expect(sent.join("")).toBe("question");
    await guest.kill();
  });
});
