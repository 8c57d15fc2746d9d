import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createModuleShapes } from "../../src/agent/module-shapes.ts";
import { digestOf, openModuleStore, type ModuleStoreOptions } from "../../src/agent/module-store.ts";
import { Reason } from "../../src/fault.ts";
import { silentLog } from "../../src/log.ts";
import { createPlainEntropy, createVirtualClock } from "./virtual-clock.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const withReason = (reason: Reason) => expect.objectContaining({ reason });
async function* chunks(...parts: Uint8Array[]) {
  yield* parts;
}

describe("the module store", () => {
  let dir: string;
  const clock = createVirtualClock();
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "modules-"));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const open = (options: Partial<ModuleStoreOptions> = {}) =>
    openModuleStore({ dir, isNeeded: () => false, clock, entropy: createPlainEntropy(), log: silentLog, ...options });

  async function put(store: Awaited<ReturnType<typeof open>>, text: string): Promise<string> {
    const digest = digestOf(bytes(text));
    await clock.advance(1_000);
    await store.put(digest, chunks(bytes(text)));
    return digest;
  }

  test("keeps what it takes in pieces, also after it was opened again", async () => {
    const digest = digestOf(bytes("hello world"));
    const store = await open();
    expect(await store.put(digest, chunks(bytes("hello "), bytes("world")))).toEqual({ sizeBytes: 11 });
    expect(await readdir(dir)).toEqual([`${digest.slice(7)}.wasm`]);
    const again = await open();
    expect(again.digests()).toEqual([digest]);
    expect(await again.read(digest)).toEqual(Buffer.from("hello world"));
    expect(await again.touch(digest)).toBe(true);
  });

  test("refuses bytes of another digest and keeps nothing", async () => {
    const store = await open();
    const digest = digestOf(bytes("a"));
    await expect(store.put(digest, chunks(bytes("b")))).rejects.toEqual(withReason(Reason.MODULE_DIGEST_MISMATCH));
    expect(await readdir(dir)).toEqual([]);
    await expect(store.read(digest)).rejects.toEqual(withReason(Reason.MODULE_NOT_FOUND));
    expect(await store.touch(digest)).toBe(false);
  });

  test("takes a module of the longest length and refuses one byte more", async () => {
    const store = await open({ moduleMaxBytes: 5 });
    await put(store, "12345");
    await expect(store.put(digestOf(bytes("123456")), chunks(bytes("123456")))).rejects.toEqual(
      withReason(Reason.MODULE_TOO_LARGE),
    );
    expect(await readdir(dir)).toHaveLength(1);
  });

  test("keeps nothing of a push that breaks off", async () => {
    const store = await open();
    const broken = (async function* () {
      yield bytes("half");
      throw new Error("connection lost");
    })();
    await expect(store.put(digestOf(bytes("halfwhole")), broken)).rejects.toThrow("connection lost");
    expect(await readdir(dir)).toEqual([]);
  });

  test("lists by last use, and drops the least recently used that nobody needs", async () => {
    const needed = new Set<string>();
    const store = await open({ totalMaxBytes: 6, isNeeded: (digest) => needed.has(digest) });
    const [aa, bb, cc] = [await put(store, "aa"), await put(store, "bb"), await put(store, "cc")];
    expect(store.digests()).toEqual([cc, bb, aa]);
    await store.read(aa);
    needed.add(bb);
    const dd = await put(store, "dd");
    expect(store.digests()).toEqual([dd, aa, bb]);
    expect((await open()).digests()).toEqual([dd, aa, bb]);
  });

  test("removes a file that was damaged, so that it can be pushed again", async () => {
    const store = await open();
    const digest = await put(store, "good");
    const file = join(dir, `${digest.slice(7)}.wasm`);
    await writeFile(file, "evil");
    await expect(store.read(digest)).rejects.toEqual(withReason(Reason.MODULE_NOT_FOUND));
    await put(store, "good");
    expect(await readFile(file, "utf8")).toBe("good");
  });

  test("says that a file is missing that someone deleted", async () => {
    const store = await open();
    const digest = await put(store, "good");
    await rm(join(dir, `${digest.slice(7)}.wasm`));
    await expect(store.read(digest)).rejects.toEqual(withReason(Reason.MODULE_NOT_FOUND));
    expect(store.digests()).toEqual([]);
  });

  test("removes what a torn write left, and leaves foreign files alone", async () => {
    await writeFile(join(dir, "abc.wasm.01.tmp"), "x");
    await writeFile(join(dir, "README"), "x");
    expect((await open()).digests()).toEqual([]);
    expect(await readdir(dir)).toEqual(["README"]);
  });

  test("says what the disk refused", async () => {
    const store = await open();
    await rm(dir, { recursive: true });
    await expect(store.put(digestOf(bytes("a")), chunks(bytes("a")))).rejects.toThrow("the disk refused it (ENOENT)");
    await writeFile(dir, "");
  });

  test("remembers shapes while it holds the module", async () => {
    const store = await open();
    const [one, two] = [await put(store, "one"), await put(store, "two")];
    let inspections = 0;
    const inspect = async () => {
      inspections += 1;
      return {
        kind: "http" as const,
        format: "component" as const,
        memory: { initialBytes: 0, maxBytes: undefined },
        functions: [],
        imports: [],
        exports: [],
      };
    };
    const shapes = createModuleShapes({ store, runtime: { inspect }, shapesMax: 1 });
    await shapes.shape(one);
    await shapes.shape(one);
    expect(inspections).toBe(1);
    await shapes.shape(two);
    await shapes.shape(one);
    expect(inspections).toBe(3);
    await rm(join(dir, `${one.slice(7)}.wasm`));
    await expect(shapes.read(one)).rejects.toEqual(withReason(Reason.MODULE_NOT_FOUND));
    await expect(shapes.shape(one)).rejects.toEqual(withReason(Reason.MODULE_NOT_FOUND));
  });
});
