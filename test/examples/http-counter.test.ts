import { describe, expect, it } from "vitest";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import type { KvProvider } from "../../src/providers/kv/kv.ts";
import type { Guest } from "../../src/runtime/runtime.ts";
import { guestStart, testRuntime } from "../runtime/guest-starts.ts";
import { ALLOW_KV, ask, exampleModule, kvHost, request } from "./example-guests.ts";

const runtime = testRuntime();
const COUNTER = exampleModule("http-counter");

function start(kv: KvProvider, grants: readonly Grant[] = ALLOW_KV): Promise<Guest> {
  return runtime.start(guestStart(COUNTER, { host: kvHost(kv, grants) }));
}

describe("the example http-counter", () => {
  it("is an HTTP guest", async () => {
    expect((await runtime.inspect(COUNTER)).kind).toBe("http");
  });

  it("counts visits per path, the query apart", async () => {
    const kv = createMemoryKv();
    const guest = await start(kv);
    expect(await ask(guest, "/")).toMatchObject({
      status: 200,
      headers: { "content-type": "text/plain; charset=utf-8" },
      text: "Visits of /: 1\n",
    });
    expect((await ask(guest, "/?from=elsewhere")).text).toBe("Visits of /: 2\n");
    expect((await ask(guest, "/shop")).text).toBe("Visits of /shop: 1\n");
    expect((await kv.listKeys("default")).keys).toEqual(["visits:/", "visits:/shop"]);
    await guest.kill();
  });

  it("shares its count with every instance that has the bucket, and keeps it when one ends", async () => {
    const kv = createMemoryKv();
    const [first, second] = [await start(kv), await start(kv)];
    await Promise.all(Array.from({ length: 20 }, (_, index) => ask(index % 2 === 0 ? first : second, "/")));
    await first.kill();
    expect((await ask(second, "/")).text).toBe("Visits of /: 21\n");
    await second.kill();
  });

  it("answers JSON to who accepts it, whatever the path contains", async () => {
    const guest = await start(createMemoryKv());
    const answer = await ask(guest, '/a"b\\c%C3%BC', { headers: [["Accept", "text/html;q=0.1, application/json"]] });
    expect(answer).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
    expect(JSON.parse(answer.text)).toEqual({ path: '/a"b\\c%C3%BC', visits: 1 });
    await guest.kill();
  });

  it("says how to grant when it was not granted, and does the rest all the same", async () => {
    const kv = createMemoryKv();
    const guest = await start(kv, []);
    const denied = await ask(guest, "/");
    expect(denied.status).toBe(403);
    expect(denied.text).toContain("--allow-kv");
    expect((await kv.listKeys("default")).keys).toEqual([]);
    expect(await ask(guest, "/healthz")).toMatchObject({ status: 200, text: "ok\n" });
    await guest.kill();
  });

  it("is refused by reading alone, for counting is writing as well", async () => {
    const guest = await start(createMemoryKv(), [
      { providerId: "kv", type: "kv", bucket: "default", permissions: ["kv:read"], deniedPermissions: [] },
    ]);
    expect((await ask(guest, "/")).status).toBe(403);
    await guest.kill();
  });

  it("says what failed when the store cannot count", async () => {
    const kv = createMemoryKv();
    await kv.set("default", "visits:/", Buffer.from("not a number"));
    const guest = await start(kv);
    expect(await ask(guest, "/")).toMatchObject({
      status: 500,
      text: 'The key-value store failed: Cannot increment in bucket "default": the value is not a decimal number within 64 bits\n',
    });
    expect((await ask(guest, "/other")).status).toBe(200);
    await kv.close();
    expect((await ask(guest, "/other")).text).toContain("the key-value provider is stopped");
    await guest.kill();
  });

  it("lists all paths with their visits, over any number of pages, and nobody else's keys", async () => {
    const kv = createMemoryKv({ limits: { pageMaxKeys: 7, batchMaxKeys: 7 } });
    await kv.set("default", "visits", Buffer.from("not a path"));
    await kv.set("default", "zzz", Buffer.from("not a path either"));
    const guest = await start(kv);
    const visits = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`/p${10 + index}`, index + 1]));
    for (const [path, count] of Object.entries(visits)) await kv.increment("default", `visits:${path}`, BigInt(count));
    const json = await ask(guest, "/visits", { headers: [["accept", "application/json"]] });
    expect(json.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(json.text)).toEqual(visits);
    expect((await ask(guest, "/visits")).text).toBe(
      Object.entries(visits)
        .map(([path, count]) => `${count} ${path}\n`)
        .join(""),
    );
    await guest.kill();
  });

  it("lists hundreds of paths of one page in several batches, and none", async () => {
    const kv = createMemoryKv();
    const guest = await start(kv);
    expect((await ask(guest, "/visits", { headers: [["accept", "application/json"]] })).text).toBe("{}\n");
    for (let index = 0; index < 250; index += 1) await kv.increment("default", `visits:/${index}`, 1n);
    expect((await ask(guest, "/visits")).text.trimEnd().split("\n")).toHaveLength(250);
    await guest.kill();
  });

  it("breaks a list off when the store fails in the middle of it, and lives on", async () => {
    const kv = createMemoryKv();
    await kv.increment("default", "visits:/", 1n);
    const host = kvHost(kv, ALLOW_KV);
    const guest = await runtime.start(
      guestStart(COUNTER, {
        host: {
          ...host,
          async kv(call) {
            if (call.kind === "getMany") await kv.close();
            return host.kv(call);
          },
        },
      }),
    );
    await expect(ask(guest, "/visits")).rejects.toThrow();
    expect((await ask(guest, "/healthz")).status).toBe(200);
    await guest.kill();
  });

  it("forgets the visits of a path, where deleting is granted", async () => {
    const kv = createMemoryKv();
    const guest = await start(kv);
    await ask(guest, "/");
    await ask(guest, "/shop");
    expect(await ask(guest, "/", { method: "DELETE" })).toMatchObject({
      status: 200,
      text: "Forgot the visits of /\n",
    });
    expect((await ask(guest, "/visits")).text).toBe("1 /shop\n");
    const counting = await start(kv, [
      { providerId: "kv", type: "kv", bucket: "default", permissions: ["kv:read", "kv:write"], deniedPermissions: [] },
    ]);
    expect((await ask(counting, "/shop", { method: "DELETE" })).status).toBe(403);
    expect((await ask(counting, "/shop")).text).toBe("Visits of /shop: 2\n");
    await guest.kill();
    await counting.kill();
  });

  it("echoes a body as it comes, before the body has ended", async () => {
    const guest = await start(createMemoryKv());
    const sent = Promise.withResolvers<void>();
    async function* parts(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("first");
      await sent.promise;
      yield Buffer.from(" second");
    }
    const response = await guest.fetch(
      request("/echo", { method: "POST", headers: [["content-type", "text/x-parts"]], body: parts() }),
    );
    expect(response.status).toBe(200);
    expect(response.headers).toContainEqual(["content-type", "text/x-parts"]);
    const received: string[] = [];
    for await (const chunk of response.body) {
      received.push(Buffer.from(chunk).toString());
      // Only what was echoed lets the second part go.
      sent.resolve();
    }
    expect(received.join("")).toBe("first second");
    expect(received.length).toBeGreaterThan(1);
    await guest.kill();
  });

  it("echoes megabytes unchanged, and an empty body", async () => {
    const guest = await start(createMemoryKv());
    const block = Buffer.from(Array.from({ length: 65_536 }, (_, index) => 97 + (index % 26)));
    async function* megabytes(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 48; index += 1) yield block;
    }
    const { text } = await ask(guest, "/echo", { method: "PUT", body: megabytes() });
    expect(text.length).toBe(48 * 65_536);
    expect(text === block.toString().repeat(48)).toBe(true);
    expect(await ask(guest, "/echo", { method: "POST" })).toMatchObject({ status: 200, text: "" });
    await guest.kill();
  });

  it("lists the headers that it sees", async () => {
    const guest = await start(createMemoryKv());
    const { text } = await ask(guest, "/headers", {
      headers: [
        ["x-one", "1"],
        ["x-two", "zwei"],
      ],
    });
    expect(text).toContain("x-one: 1\n");
    expect(text).toContain("x-two: zwei\n");
    await guest.kill();
  });

  it("refuses to count what is no visit", async () => {
    const guest = await start(createMemoryKv());
    expect(await ask(guest, "/", { method: "POST" })).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD, DELETE" },
    });
    expect((await ask(guest, "/", { method: "HEAD" })).status).toBe(200);
    await guest.kill();
  });
});
