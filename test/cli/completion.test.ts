import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCaptured } from "./captured-io.ts";

const run = promisify(execFile);
let folder: string;
let bashFile: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasmatrix-cli-completion-"));
  bashFile = join(folder, "wasmatrix.bash");
  await writeFile(bashFile, (await runCaptured(["completion", "bash"])).stdout);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What bash offers for a line, with a control plane that knows two instances and a node. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `
    wasmatrix() { [[ "$1" == __complete ]] && { [[ "$2" == instances ]] && printf 'hello\\nabc123\\n' || printf 'node-1\\n'; }; }
    source "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
    _wasmatrix
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", script, "bash", bashFile, "wasmatrix", ...words], { cwd: folder });
  return stdout.trim().split("\n").toSorted();
}

describe("completion in bash", () => {
  test("is a script without errors", async () => {
    expect(await run("bash", ["-n", bashFile])).toMatchObject({ stderr: "" });
  });

  test("offers commands, and not the hidden one", async () => {
    expect(await offered("")).toEqual(expect.arrayContaining(["run", "ps", "help"]));
    expect(await offered("")).not.toContain("__complete");
    expect(await offered("in")).toEqual(["init", "inspect", "invoke"]);
    expect(await offered("help", "re")).toEqual(["revoke"]);
  });

  test("offers the flags of a command", async () => {
    expect(await offered("ps", "--no")).toEqual(["--no-trunc", "--node"]);
    expect(await offered("run", "--allow-r")).toEqual(["--allow-read"]);
    expect(await offered("grant", "--deny-p")).toEqual(["--deny-publish"]);
    expect(await offered("run", "--isolation", "")).toEqual(["dedicated", "shared"]);
  });

  test("offers instances and nodes where they belong", async () => {
    expect(await offered("inspect", "")).toEqual(["abc123", "hello", "wasmatrix.bash"]);
    expect(await offered("logs", "")).toEqual(["abc123", "hello"]);
    expect(await offered("stop", "hello", "a")).toEqual(["abc123"]);
    expect(await offered("invoke", "hello", "")).toEqual([""]);
    expect(await offered("facts", "--instance", "h")).toEqual(["hello"]);
    expect(await offered("run", "--node", "")).toEqual(["node-1"]);
  });

  test("offers files, and choices", async () => {
    expect(await offered("run", "wasm")).toEqual(["wasmatrix.bash"]);
    expect(await offered("cp", "--log-level", "w")).toEqual(["warn"]);
    expect(await offered("completion", "")).toEqual(["bash", "fish", "zsh"]);
    expect(await offered("run", "--restart", "")).toEqual(["always", "never", "on-failure"]);
    expect(await offered("ps", "--state", "sto")).toEqual(["stopped", "stopping"]);
  });
});

describe("completion in zsh and fish", () => {
  test("names every command and flag", async () => {
    const tree: unknown = JSON.parse((await runCaptured(["completion", "bash", "--json"])).stdout);
    const commands = Array.isArray(tree) ? tree : [];
    const [zsh, fish] = [
      (await runCaptured(["completion", "zsh"])).stdout,
      (await runCaptured(["completion", "fish"])).stdout,
    ];
    expect(commands.length).toBeGreaterThan(14);
    for (const command of commands) {
      const name = String(Reflect.get(command, "name"));
      expect(zsh).toContain(`        ${name}) _arguments `);
      expect(fish).toContain(`-a '${name}'`);
      for (const flag of Reflect.get(command, "flags")) {
        const long = String(Reflect.get(flag, "long"));
        expect(zsh).toContain(`${long}[`);
        expect(fish).toContain(`__fish_seen_subcommand_from ${name}' -l ${long.slice(2)} `);
      }
    }
    expect(zsh).toMatch(/^#compdef wasmatrix\n/);
    expect(zsh).toContain("'*:argument:_wasmatrix_instances'");
    expect(fish).toContain("-a '(wasmatrix __complete nodes 2>/dev/null)'");
    // Files are offered where a file is wanted, and nowhere else.
    expect(fish).toMatch(/ run' -l stdin -r -F /);
    expect(fish).toMatch(/ run' -l restart -x -a 'never always on-failure' /);
    expect(fish).toMatch(/ run' -l memory -x -d /);
  });

  test("in zsh has quotes that close", async () => {
    // bash reads quotes as zsh does, and what else is zsh's own stands inside of them.
    const { stdout } = await runCaptured(["completion", "zsh"]);
    const quotes = stdout.replaceAll("'\\''", "").match(/'/g) ?? [];
    expect(quotes.length % 2).toBe(0);
  });
});
