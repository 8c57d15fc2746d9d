/** `guests/walker.c`: a C program made with wasi-libc and the usual adapter, as any toolchain makes commands. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { GrantedFolder } from "../../../src/providers/local-rights.ts";
import { adaptedCommand, runComponent } from "./component-guest.ts";
import { memoryLine, type MemoryLine, type MemoryLineOptions } from "./memory-line.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "wasmatrix-command-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const walker = await adaptedCommand("./guests/walker.wasm");

type Ran = { readonly exitCode: number; readonly line: MemoryLine };

async function run(args: readonly string[], options: MemoryLineOptions = {}, stdin = ""): Promise<Ran> {
  const line = memoryLine({ ...options, args: ["walker", ...args] });
  line.stdin.put(stdin).end();
  return { exitCode: await runComponent(walker, line), line };
}

function granted(name: string, guestPath: string, canWrite: boolean): GrantedFolder {
  mkdirSync(join(root, name), { recursive: true });
  return { guestPath, hostPath: join(root, name), canRead: true, canWrite, deniedPaths: [] };
}

describe("a command as a component", () => {
  it("sees its arguments, variables and standard input, and writes to both of its outputs", async () => {
    const rights = { folders: [], env: { HOME: "/home", EMPTY: "" } };
    const { exitCode, line } = await run(["surroundings"], { rights: () => rights }, "first\nsecond\n");
    expect(line.stdout.text).toBe(
      "argument walker\nargument surroundings\nvariable HOME=/home\nvariable EMPTY=\nrandom 0\nline first\nline second\n",
    );
    expect(line.stderr.text).toBe("done\n");
    expect(exitCode).toBe(0);
  });

  it("sleeps by the clock, and polls", async () => {
    const line = memoryLine({ args: ["walker", "clocks"] });
    line.stdin.put("x");
    const running = runComponent(walker, line);
    await vi.waitFor(() => expect(line.sleeping.size).toBe(1));
    line.advanceTo([...line.sleeping][0] ?? 0n);
    expect(await running).toBe(0);
    expect(line.stdout.text).toBe("slept long enough\nnow plausible\npoll 1\n");
  });

  it("works with files in a granted folder", async () => {
    const rights = { folders: [granted("work", "/work", true)], env: {} };
    const { exitCode, line } = await run(["files", "/work"], { rights: () => rights });
    expect(line.stdout.text).toBe(
      [
        "lines 10000, last line 9999",
        "size 98895",
        "entry d directory",
        "entry s file",
        "entry b.txt file",
        "gone: No such file or directory",
        "",
      ].join("\n"),
    );
    expect(exitCode).toBe(0);
    expect(readFileSync(join(root, "work", "d", "b.txt"), "utf8")).toBe("line ");
    expect(line.audits).toContain(`used fs:write:${join(root, "work")}::/work`);
  });

  it("is told by the C library's own errors what it may not do", async () => {
    const rights = { folders: [granted("given", "/given", false)], env: {} };
    writeFileSync(join(root, "given", "text"), "content");
    writeFileSync(join(root, "secret"), "secret");
    const read = async (path: string): Promise<string> =>
      (await run(["outside", path], { rights: () => rights })).line.stdout.text;
    expect(await read("/given/text")).toBe("yes: content\n");
    expect(await read("/given/../secret")).toBe("no: Operation not permitted\n");
    expect(await read("/etc/passwd")).toMatch(/^no: /);
    const { exitCode, line } = await run(["files", "/given"], { rights: () => rights });
    expect(line.stdout.text).toBe("fopen: Operation not permitted\n");
    // Of exit codes other than 0 the adapter passes on only that it is one.
    expect(exitCode).toBe(1);
  });

  it("ends with its exit code, also by exit, or by a trap", async () => {
    expect((await run(["none"])).exitCode).toBe(1);
    expect((await run(["exit", "0"])).exitCode).toBe(0);
    expect((await run(["exit", "7"])).exitCode).toBe(1);
    await expect(run(["abort"])).rejects.toThrow(WebAssembly.RuntimeError);
  });
});
