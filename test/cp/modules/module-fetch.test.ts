import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { fetchModule } from "../../../src/cp/modules/module-fetch.ts";
import { digestOf, possibleKinds } from "../../../src/cp/modules/module-bytes.ts";
import { Reason } from "../../../src/fault.ts";
import { GuestKind } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { EMPTY_MODULE, moduleOf, reasonOf } from "../test-fleet.ts";

const open = new Set<ServerResponse>();
let server: Server;
let base: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    const hops = /^\/hop\/(\d+)$/.exec(url.pathname)?.[1];
    if (hops !== undefined) {
      response.writeHead(302, { location: hops === "1" ? "/module" : `/hop/${Number(hops) - 1}` }).end();
    } else if (url.pathname === "/module") response.end(moduleOf(2_000));
    else if (url.pathname === "/chunked") {
      response.write(moduleOf(1_500));
      response.end(new Uint8Array(1_500));
    } else if (url.pathname === "/page") response.end("<html>not found, but politely</html>");
    else if (url.pathname === "/to-file") response.writeHead(301, { location: "file:///etc/passwd" }).end();
    else if (url.pathname === "/stall") {
      response.write(EMPTY_MODULE);
      open.add(response);
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  for (const response of open) response.destroy();
  server.close();
});

const fetched = (
  path: string,
  options: { digest?: string; maxBytes?: number; timeoutMs?: number } = {},
): ReturnType<typeof fetchModule> =>
  fetchModule(
    {
      fetch: (url, init) => fetch(url, init),
      clock: systemClock,
      maxBytes: options.maxBytes ?? 10_000,
      timeoutMs: options.timeoutMs ?? 10_000,
    },
    { url: path.startsWith("/") ? base + path : path, digest: options.digest ?? "" },
  );

describe("fetching a module", () => {
  it("answers its bytes and digest", async () => {
    const digest = await digestOf(moduleOf(2_000));
    expect(await fetched("/module", { digest })).toEqual({ digest, bytes: moduleOf(2_000) });
  });

  it("follows five redirects and refuses a sixth", async () => {
    expect((await fetched("/hop/5")).bytes).toHaveLength(2_000);
    await expect(fetched("/hop/6")).rejects.toThrow(/: more than 5 redirects$/);
  });

  it("refuses one larger than the limit, announced or not, and takes one of just that size", async () => {
    expect(await reasonOf(fetched("/module", { maxBytes: 1_999 }))).toBe(Reason.MODULE_TOO_LARGE);
    expect(await reasonOf(fetched("/chunked", { maxBytes: 2_999 }))).toBe(Reason.MODULE_TOO_LARGE);
    expect((await fetched("/chunked", { maxBytes: 3_000 })).bytes).toHaveLength(3_000);
  });

  it("refuses what is not Wasm, or has another digest than was asked for", async () => {
    expect(await reasonOf(fetched("/page"))).toBe(Reason.MODULE_NOT_WASM);
    expect(await reasonOf(fetched("/module", { digest: `sha256:${"0".repeat(64)}` }))).toBe(
      Reason.MODULE_DIGEST_MISMATCH,
    );
  });

  it("says why a URL cannot be reached, without what may be secret in it", async () => {
    await expect(fetched("/missing?key=secret")).rejects.toThrow(
      new RegExp(`^Cannot take module from ${base}/missing: the server answered 404$`),
    );
    const refused = fetched("http://127.0.0.1:1/x.wasm");
    expect(await reasonOf(refused)).toBe(Reason.MODULE_UNREACHABLE);
    await expect(refused).rejects.toThrow(/ECONNREFUSED|bad port/);
  });

  it("gives up when it takes too long, also in the midst of the body", async () => {
    await expect(fetched("/stall", { timeoutMs: 200 })).rejects.toThrow(/: it took longer than 200 ms$/);
  });

  it("fetches over http and https only, also after a redirect", async () => {
    expect(await reasonOf(fetched("file:///etc/passwd"))).toBe(Reason.INVALID_REQUEST);
    expect(await reasonOf(fetched("/to-file"))).toBe(Reason.INVALID_REQUEST);
  });
});

describe("what a module's first bytes tell", () => {
  it("is the kinds that it may turn out to have", () => {
    expect(possibleKinds(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))).toEqual([
      GuestKind.COMMAND,
      GuestKind.FUNCTIONS,
    ]);
    expect(possibleKinds(new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]))).toEqual([
      GuestKind.HTTP,
      GuestKind.COMMAND,
      GuestKind.MESSAGING,
      GuestKind.FUNCTIONS,
    ]);
    expect(possibleKinds(new Uint8Array([0, 0x61, 0x73, 0x6d, 9, 0, 0, 0]))).toEqual([]);
  });
});
