import { readFileSync } from "node:fs";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openComponentCache } from "../../src/runtime/component-cache.ts";
import type { PlannedComponent } from "../../src/runtime/component/plan-from-bytes.ts";
import { PLAN_VERSION } from "../../src/runtime/component/component-plan.ts";
import { COMPILER_VERSION } from "../../src/runtime/component-compiler.ts";
import { createRuntime } from "../../src/runtime/worker-runtime.ts";
import { digestOf, guestStart, temporaryFolder } from "./guest-starts.ts";

const PROBE = new Uint8Array(await readFile(new URL("./guests/probe.wasm", import.meta.url)));
const DIGEST = digestOf(PROBE);

const SMALL: PlannedComponent = {
  plan: {
    version: PLAN_VERSION,
    types: [{ kind: "string" }],
    functionTypes: [{ params: [{ name: "grüezi", type: 0 }] }],
    resources: [],
    hostFunctions: [],
    instances: [{}],
    options: [],
    steps: [],
    moduleUses: [1, 2],
    imports: [],
    exports: [],
  },
  modules: [Uint8Array.of(1, 2, 3), new Uint8Array()],
};

/** Starts the probe from `cacheDir`; says whether its bytes were asked for. */
async function startsFrom(cacheDir: string): Promise<{ wasRead: boolean }> {
  const runtime = createRuntime({ cacheDir });
  let wasRead = false;
  const readModule = async (): Promise<Uint8Array> => {
    wasRead = true;
    return PROBE;
  };
  const guest = await runtime.start({ ...guestStart(PROBE), readModule });
  const response = await guest.fetch({
    method: "GET",
    scheme: "http",
    authority: "x",
    pathWithQuery: "/calls",
    headers: [],
    body: undefined,
  });
  expect(response.status).toBe(200);
  await runtime.close();
  return { wasRead };
}

describe("the cache of compiled components", () => {
  it("does not take the entry of one component for another's, though it is whole", async () => {
    const folder = temporaryFolder();
    const cache = openComponentCache(folder, "v1");
    const other = digestOf(Uint8Array.of(1));
    await cache.put(other, SMALL);
    const file = (digest: string): string => join(folder, "v1", `${digest.slice("sha256:".length)}.component`);
    await writeFile(file(DIGEST), await readFile(file(other)));
    expect(await cache.get(DIGEST)).toBeUndefined();
    expect((await cache.get(other))?.plan).toEqual(SMALL.plan);
  });

  it("gives back what was put, and nothing else", async () => {
    const cache = openComponentCache(temporaryFolder(), "v1");
    expect(await cache.get(DIGEST)).toBeUndefined();
    await cache.put(DIGEST, SMALL);
    const got = await cache.get(DIGEST);
    expect(got?.plan).toEqual(SMALL.plan);
    expect(got?.modules.map((bytes) => [...bytes])).toEqual([[1, 2, 3], []]);
  });

  it("takes an entry that was damaged anywhere, or is another version's, for none", async () => {
    const folder = temporaryFolder();
    const cache = openComponentCache(folder, "v1");
    await cache.put(DIGEST, SMALL);
    const path = join(folder, "v1", `${DIGEST.slice("sha256:".length)}.component`);
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      await writeFile(path, damaged);
      expect(await cache.get(DIGEST)).toBeUndefined();
    }
    await writeFile(path, whole.subarray(0, 20));
    expect(await cache.get(DIGEST)).toBeUndefined();
    await writeFile(path, whole);
    expect(await cache.get(DIGEST)).toBeDefined();
    expect(await openComponentCache(folder, "v2").get(DIGEST)).toBeUndefined();
  });

  it("forgets the entries used longest ago when it grows too large, and keeps one that just fits", async () => {
    const folder = temporaryFolder();
    const entryBytes = await sizeOfOneEntry();
    const digest = (index: number): string => `sha256:${String(index).padStart(64, "0")}`;
    const cache = openComponentCache(folder, "v1", entryBytes * 3);
    for (const index of [1, 2, 3]) await cache.put(digest(index), SMALL);
    expect(await Promise.all([1, 2, 3].map(async (index) => (await cache.get(digest(index))) !== undefined))).toEqual([
      true,
      true,
      true,
    ]);
    const path = (index: number): string => join(folder, "v1", `${digest(index).slice("sha256:".length)}.component`);
    for (const index of [1, 3]) await utimes(path(index), 1_000, 1_000);
    await utimes(path(2), 900, 900);
    await cache.put(digest(4), SMALL);
    const kept = await Promise.all([1, 2, 3, 4].map(async (index) => (await cache.get(digest(index))) !== undefined));
    expect(kept).toEqual([true, false, true, true]);
  });

  it("leaves no drafts behind, also when several write the same entry at once", async () => {
    const folder = temporaryFolder();
    const cache = openComponentCache(folder, "v1");
    await Promise.all(Array.from({ length: 10 }, () => cache.put(DIGEST, SMALL)));
    expect(await readdir(join(folder, "v1"))).toHaveLength(1);
    expect(await cache.get(DIGEST)).toBeDefined();
  });

  it("lets a component start without its bytes, and makes a damaged entry anew", async () => {
    const folder = temporaryFolder();
    expect(await startsFrom(folder)).toEqual({ wasRead: true });
    expect(await startsFrom(folder)).toEqual({ wasRead: false });
    const [name = ""] = await readdir(join(folder, COMPILER_VERSION));
    const path = join(folder, COMPILER_VERSION, name);
    await writeFile(path, readFileSync(path).subarray(0, 1000));
    expect(await startsFrom(folder)).toEqual({ wasRead: true });
    expect(await startsFrom(folder)).toEqual({ wasRead: false });
  });

  it("is not needed: a component starts where nothing can be written", async () => {
    const folder = temporaryFolder();
    await writeFile(join(folder, "occupied"), "");
    expect(await startsFrom(join(folder, "occupied"))).toEqual({ wasRead: true });
  });

  it("is named after the version of the plans in it", () => {
    expect(COMPILER_VERSION).toContain(`plan-${PLAN_VERSION}-`);
  });
});

async function sizeOfOneEntry(): Promise<number> {
  const folder = temporaryFolder();
  await openComponentCache(folder, "v1").put(DIGEST, SMALL);
  const [name = ""] = await readdir(join(folder, "v1"));
  return readFileSync(join(folder, "v1", name)).length;
}
