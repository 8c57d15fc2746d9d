import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { GrantedFolder, LocalRights } from "../../../src/providers/local-rights.ts";
import type { Ending, Guest } from "../../../src/runtime/runtime.ts";
import { guestStart, recordingHost, temporaryFolder, testRuntime } from "../guest-starts.ts";

const module = readFileSync(new URL("./guests/posix.wasm", import.meta.url));
const runtime = testRuntime();

/** A folder with a secret beside it. */
function hostFolder(): string {
  const top = realpathSync(temporaryFolder());
  mkdirSync(join(top, "granted"));
  writeFileSync(join(top, "secret.txt"), "the secret");
  return join(top, "granted");
}

const rightsTo = (hostPath: string, options: Partial<GrantedFolder> = {}): LocalRights => ({
  env: {},
  folders: [{ hostPath, guestPath: "/data", canRead: true, canWrite: true, deniedPaths: [], ...options }],
});

type Run = {
  readonly guest: Guest;
  readonly written: { readonly stdout: string };
  /** Counts by permission and outcome. */
  readonly audits: Map<string, number>;
};

async function start(action: string, rights: LocalRights, openHandlesMax = 1_000): Promise<Run> {
  const audits = new Map<string, number>();
  const host = {
    ...recordingHost(),
    audit(permission: string, outcome: string, count: number): void {
      const key = `${outcome} ${permission}`;
      audits.set(key, (audits.get(key) ?? 0) + count);
    },
  };
  const guest = await runtime.start(
    guestStart(module, { args: ["posix", "/data", action], rights, host, limits: { openHandlesMax } }),
  );
  return { guest, written: host.written, audits };
}

async function outcomeOf(action: string, rights: LocalRights): Promise<{ ending: Ending; lines: string[] }> {
  const { guest, written } = await start(action, rights);
  const ending = await guest.ended;
  return { ending, lines: written.stdout.trimEnd().split("\n") };
}

describe("a C program on preview 1", () => {
  it("does with a granted folder what programs do", async () => {
    const folder = hostFolder();
    const { ending, lines } = await outcomeOf("tour", rightsTo(folder));
    expect(ending).toEqual({ kind: "exited", exitCode: 0 });
    expect(lines.join(", ")).toBe(
      "fclose: ok, one, two, three, mkdir: ok, rename: ok, link: ok, symlink: ok, stat: ok, 14 bytes, 2 links, " +
        "lstat: ok, symlink 1, utimensat: ok, modified 1000.000000005, truncate: ok, . .. linked.txt sub symbolic, " +
        "rmdir: Directory not empty, unlink: ok",
    );
    expect(readFileSync(join(folder, "sub/moved.txt"), "utf8")).toBe("one");
  });

  it("has no files without a grant, and cannot write to what it may only read", async () => {
    const folder = hostFolder();
    expect((await outcomeOf("tour", { env: {}, folders: [] })).lines[0]).toMatch(/^fopen: /);
    expect((await outcomeOf("tour", rightsTo(folder, { canWrite: false }))).lines).toEqual([
      "fopen: Operation not permitted",
    ]);
    expect(() => statSync(join(folder, "notes.txt"))).toThrow("ENOENT");
  });

  it("does not get out of its folder", async () => {
    const folder = hostFolder();
    const { lines } = await outcomeOf("escape", rightsTo(folder));
    expect(lines).toEqual([
      "../secret.txt: Operation not permitted",
      "up/secret.txt: Operation not permitted",
      "out: Operation not permitted",
      "/etc/passwd: Capabilities insufficient",
      "link: Operation not permitted",
      "rename: Operation not permitted",
    ]);
    expect(readFileSync(join(folder, "../secret.txt"), "utf8")).toBe("the secret");
  });

  it("cannot write to an open file any more as soon as its folder is revoked", async () => {
    const folder = hostFolder();
    const { guest, written, audits } = await start("until-denied", rightsTo(folder));
    await vi.waitFor(() => expect(statSync(join(folder, "log")).size).toBeGreaterThan(3));
    await guest.setRights({ env: {}, folders: [] });
    const size = statSync(join(folder, "log")).size;
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
    expect(written.stdout).toBe("open: ok\nwrite: Operation not permitted\n");
    expect(statSync(join(folder, "log")).size).toBe(size);
    const permission = `fs:write:${folder}::/data`;
    expect(audits.get(`used ${permission}`)).toBeGreaterThan(3);
    expect(audits.get(`denied ${permission}`)).toBe(1);
  });

  it.runIf(existsSync("/proc/self/fd"))("gives back what it had open when it is killed", async () => {
    const folder = hostFolder();
    const openThere = (): string[] =>
      readdirSync("/proc/self/fd").flatMap((fd) => {
        const place = placeOf(fd);
        return place?.startsWith(folder) === true ? [place] : [];
      });
    const { guest } = await start("until-denied", rightsTo(folder));
    await vi.waitFor(() => expect(statSync(join(folder, "log")).size).toBeGreaterThan(0));
    expect(openThere()).toContain(join(folder, "log"));
    await guest.kill();
    await vi.waitFor(() => expect(openThere()).toEqual([]));
  });

  it("is ended when it holds more handles than the limit", async () => {
    const { guest } = await start("hoard", rightsTo(hostFolder()), 100);
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "openHandlesMax" });
  });
});

/** What a descriptor of this process leads to; `undefined` for one that is closed meanwhile. */
function placeOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // Reading the list itself takes a descriptor, which is closed by now.
    return undefined;
  }
}
