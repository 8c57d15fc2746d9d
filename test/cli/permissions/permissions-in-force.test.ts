/** Permission flags, against a real control plane, a real agent and a guest that uses every capability by path. */
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startRealFleet, type RealFleet } from "../real-fleet.ts";

const GUESTS = join(import.meta.dirname, "../../runtime/guests");
const PROBE = join(GUESTS, "permissions.wasm");
/** What the guests import must be decided on; grants that are of no use to any test leave what a test asks for absent. */
const ELSEWHERE = ["--allow-kv=elsewhere:read", "--allow-net=elsewhere.example", "--allow-publish=elsewhere"];

let fleet: RealFleet;
let folder: string;
let outside: Server;
let outsidePort: number;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "wasmatrix-cli-shared-")));
  await writeFile(join(folder, "note.txt"), "from the host");
  fleet = await startRealFleet({
    sharedFolders: [folder],
    sharedEnv: ["SHOWN"],
    env: { SHOWN: "to those who are granted it", HIDDEN: "never" },
  });
  outside = createServer((_request, response) => response.end("from outside"));
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
  const address = outside.address();
  outsidePort = typeof address === "object" && address !== null ? address.port : 0;
});

afterAll(async () => {
  await fleet.close();
  await new Promise((resolve) => outside.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function ask(name: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${fleet.url}/-/${name}${path}`);
  return { status: response.status, text: await response.text() };
}

type Case = {
  readonly word: string;
  /** Value of the flags, with `=` in front; made when the fleet is there. */
  readonly allow: () => string;
  readonly deny: () => string;
  readonly path: () => string;
  readonly permitted: { status: number; text: unknown };
};

const CASES: readonly Case[] = [
  {
    word: "kv",
    allow: () => "=b:read",
    deny: () => "=b:read",
    path: () => "/kv/exists?bucket=b&key=k",
    permitted: { status: 200, text: "false" },
  },
  {
    word: "net",
    allow: () => `=127.0.0.1:${outsidePort}`,
    deny: () => "=127.0.0.1",
    path: () => `/http?url=http://127.0.0.1:${outsidePort}/`,
    permitted: { status: 200, text: "200\nfrom outside" },
  },
  {
    word: "env",
    allow: () => "=SHOWN",
    deny: () => "",
    path: () => "/env?name=SHOWN",
    permitted: { status: 200, text: "to those who are granted it" },
  },
  {
    word: "read",
    allow: () => `=${folder}::/data`,
    deny: () => `=${folder}/note.txt`,
    path: () => "/file/read?path=/data/note.txt",
    permitted: { status: 200, text: "from the host" },
  },
  {
    word: "write",
    allow: () => `=${folder}::/data`,
    deny: () => "",
    path: () => "/file/write?path=/data/new.txt&text=hi",
    permitted: { status: 200, text: "written" },
  },
  {
    word: "publish",
    allow: () => "=orders.*",
    deny: () => "=orders.created",
    path: () => "/publish?topic=orders.created&body=x",
    permitted: { status: 200, text: "published" },
  },
];

describe.each(CASES)("--allow-$word and --deny-$word", ({ word, allow, deny, path, permitted }) => {
  test("are in force from the next operation on: absent is denied, granted works, denied wins, revoked is denied", async () => {
    const name = `case-${word}`;
    const started = await fleet.cli(["run", PROBE, "--name", name, "--wait", ...ELSEWHERE]);
    expect(started).toMatchObject({ code: 0 });
    const change = async (...argv: string[]): Promise<void> => {
      const [verb = "", ...flags] = argv;
      expect(await fleet.cli([verb, name, ...flags]), argv.join(" ")).toMatchObject({ code: 0, stderr: "" });
    };
    expect(await ask(name, path())).not.toMatchObject({ status: 200 });
    await change("grant", `--allow-${word}${allow()}`);
    expect(await ask(name, path())).toEqual(permitted);
    await change("grant", `--deny-${word}${deny()}`);
    expect(await ask(name, path())).not.toMatchObject({ status: 200 });
    await change("revoke", `--deny-${word}${deny()}`);
    expect(await ask(name, path())).toEqual(permitted);
    await change("revoke", `--allow-${word}${allow()}`);
    expect(await ask(name, path())).not.toMatchObject({ status: 200 });
    expect((await fleet.cli(["grant", name, `--allow-${word}${allow()}`])).code).toBe(0);
    await change("revoke", word === "kv" ? "--allow-kv=b" : `--allow-${word}`);
    expect(await ask(name, path())).not.toMatchObject({ status: 200 });
    await fleet.cli(["stop", name, "--grace", "0"]);
  });
});

describe("run", () => {
  test("with flags starts an instance that may do just that, and inspect counts what it does", async () => {
    const run = await fleet.cli([
      "run",
      PROBE,
      "--name",
      "flags",
      "--wait",
      "--allow-kv=b:read",
      "--deny-net",
      "--deny-publish",
      `--allow-read=${folder}::/data`,
      "--allow-env=SHOWN",
      "--env",
      "OWN=1",
      "--env",
      "SECRET=1",
      "--deny-env=SECRET",
      "--config",
      "greeting=hello",
      "--isolation",
      "dedicated",
      "--concurrent-calls",
      "2",
    ]);
    expect(run).toMatchObject({ code: 0 });
    expect(await ask("flags", "/kv/exists?bucket=b&key=k")).toEqual({ status: 200, text: "false" });
    expect(await ask("flags", "/kv/set?bucket=b&key=k&value=v")).toMatchObject({ status: 403 });
    expect(await ask("flags", "/file/read?path=/data/note.txt")).toEqual({ status: 200, text: "from the host" });
    expect(await ask("flags", "/file/write?path=/data/note.txt&text=x")).toMatchObject({ status: 403 });
    expect(await ask("flags", "/env?name=OWN")).toEqual({ status: 200, text: "1" });
    expect(await ask("flags", "/env?name=SECRET")).toMatchObject({ status: 404 });
    expect(await ask("flags", "/config?key=greeting")).toEqual({ status: 200, text: "hello" });
    expect(await readFile(join(folder, "note.txt"), "utf8")).toBe("from the host");

    // Counts are told at the first use of a permission, and then every few seconds.
    await vi.waitFor(async () => {
      const { stdout } = await fleet.cli(["inspect", "flags"]);
      expect(stdout).toMatch(/granted +kv:read +b +kv +[1-9]\d* +0$/m);
      expect(stdout).toMatch(/missing +kv:write +b +- +0 +1$/m);
      expect(stdout).toMatch(/granted +fs:read:\S+::\/data +- +files +[1-9]\d* +0$/m);
      expect(stdout).toMatch(/^config: +greeting$/m);
      expect(stdout).toMatch(/^isolation: +dedicated$/m);
      expect(stdout).toMatch(/concurrent calls +2$/m);
    }, 20_000);
    await fleet.cli(["stop", "flags", "--grace", "0"]);
  });

  test("is refused for imports that nothing is said about, all by name, with the flags, and leaves nothing behind", async () => {
    const run = ["run", PROBE, "--name", "undecided"];
    const refused = await fleet.cli(run);
    expect(refused).toMatchObject({ code: 4, stdout: "" });
    for (const text of ["wasi:http/outgoing-handler@", "wasi:keyvalue/store@", "wasmcloud:messaging/consumer@"])
      expect(refused.stderr).toContain(text);
    expect(refused.stderr).toMatch(
      /\(--allow-kv, --allow-net, --allow-publish\) .*\(--deny-kv, --deny-net, --deny-publish\)$/m,
    );
    expect(refused.stderr).toMatch(/^hint: .*wasmatrix inspect FILE\.wasm$/m);
    const decided = ["--allow-kv", "--deny-net", "--allow-publish=orders.*"];
    for (const left of decided) {
      const { code, stderr } = await fleet.cli([...run, ...decided.filter((flag) => flag !== left)]);
      expect({ code, stderr }).toEqual({
        code: 4,
        stderr: expect.stringContaining(`(${left.replace(/=.*/, "").replace("deny", "allow")})`),
      });
    }
    expect((await fleet.cli(["ps", "-a", "--name", "undecided"])).stdout.trim().split("\n")).toHaveLength(1);
    expect(await fleet.cli([...run, ...decided])).toMatchObject({ code: 0 });
    await fleet.cli(["stop", "undecided", "--grace", "0"]);
  });

  test("is refused for what the node does not share, with what to do about it, and leaves nothing behind", async () => {
    for (const flag of ["--allow-read=/", `--allow-write=${tmpdir()}`, "--allow-env=HIDDEN"]) {
      const refused = await fleet.cli(["run", PROBE, "--name", "refused", flag, ...ELSEWHERE]);
      expect(refused, flag).toMatchObject({ code: 4, stdout: "" });
      expect(refused.stderr, flag).toMatch(/^error: .*\nhint: .*--share-(folder|env)/);
    }
    expect((await fleet.cli(["ps", "-a", "--name", "refused"])).stdout.trim().split("\n")).toHaveLength(1);
  });

  test("takes a manifest as it takes flags", async () => {
    const manifest = join(folder, "wasmatrix.json");
    await writeFile(
      manifest,
      JSON.stringify({
        module: PROBE,
        name: "manifest",
        config: { greeting: "hello" },
        permissions: {
          allow: ["fs:read:.::/data"],
          deny: ["fs:read:./wasmatrix.json", "http:request", "msg:publish:>"],
          kv: { b: { allow: ["kv:write"] } },
        },
        limits: { memory: "16MiB", callTimeout: "5s" },
        reuse: "none",
      }),
    );
    expect(await fleet.cli(["run", "--wait"], { workDir: folder })).toMatchObject({ code: 0 });
    expect(await ask("manifest", "/file/read?path=/data/note.txt")).toEqual({ status: 200, text: "from the host" });
    expect(await ask("manifest", "/file/read?path=/data/wasmatrix.json")).not.toMatchObject({ status: 200 });
    expect(await ask("manifest", "/kv/set?bucket=b&key=k&value=v")).toMatchObject({ status: 200 });
    const { stdout } = await fleet.cli(["inspect", "manifest"]);
    expect(stdout).toMatch(/^limits: +memory +16 MiB$/m);
    expect(stdout).toMatch(/^reuse: +none$/m);
    await fleet.cli(["stop", "manifest", "--grace", "0"]);
  });
});

describe("--allow-subscribe", () => {
  test("brings messages, and once revoked no more", async () => {
    const subscriber = await fleet.cli([
      "run",
      join(GUESTS, "subscriber.wasm"),
      "--name",
      "subscriber",
      "--wait",
      ...ELSEWHERE,
    ]);
    expect(subscriber).toMatchObject({ code: 0 });
    const publisher = ["run", PROBE, "--name", "publisher", "--allow-publish", "--deny-kv", "--deny-net", "--wait"];
    expect((await fleet.cli(publisher)).code).toBe(0);
    const request = (): Promise<{ status: number; text: string }> =>
      ask("publisher", "/request?topic=orders.created&body=hi&ms=500");
    expect(await request()).not.toMatchObject({ status: 200 });
    expect((await fleet.cli(["grant", "subscriber", "--allow-subscribe=orders.>"])).code).toBe(0);
    expect(await request()).toEqual({ status: 200, text: "echo: hi" });
    expect((await fleet.cli(["revoke", "subscriber", "--allow-subscribe"])).code).toBe(0);
    expect(await request()).not.toMatchObject({ status: 200 });
    await fleet.cli(["stop", "subscriber", "publisher", "--grace", "0"]);
  });
});
