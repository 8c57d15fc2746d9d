import { beforeAll, describe, expect, test } from "vitest";
import type { Command } from "commander";
import { EXIT, EXIT_CODE_TEXT } from "../../src/cli/exit-code.ts";
import { PROTOCOL_VERSION } from "../../src/protocol-version.ts";
import { createWholeProgram } from "../../src/cli/program.ts";
import { createCapturedIo, runCaptured } from "./captured-io.ts";

const NAMES = [
  "run",
  "init",
  "stop",
  "invoke",
  "grant",
  "revoke",
  "ps",
  "inspect",
  "logs",
  "facts",
  "nodes",
  "dev",
  "cp",
  "agent",
  "version",
  "completion",
  "__complete",
];

let program: Command;
beforeAll(async () => {
  const context = { io: createCapturedIo().io, requestId: "r", exitWith: () => undefined };
  program = await createWholeProgram(context, { writeOut: () => undefined, writeErr: () => undefined });
});

describe("--help", () => {
  test("lists every command but the hidden one, the exit codes and examples", async () => {
    const help = await runCaptured(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const name of NAMES)
      expect(new RegExp(`^ {2}${name} `, "m").test(help.stdout), name).toBe(!name.startsWith("__"));
    expect(help.stdout).toContain(EXIT_CODE_TEXT);
    expect(help.stdout).toContain("Examples:");
  });

  test("documents every exit code", () => {
    for (const code of Object.values(EXIT)) expect(EXIT_CODE_TEXT).toMatch(new RegExp(`\\b${String(code)}\\b`));
  });

  test.each(NAMES)("of %s says what it does, has --json, and examples whose flags exist", async (name) => {
    const help = await runCaptured([name, "--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/^Usage: wasmatrix \S+/);
    expect(help.stdout).toContain("--json");
    const command = program.commands.find((one) => one.name() === name);
    const known = (command?.options ?? []).flatMap((option) => [option.long, option.short]);
    const examples = [...help.stdout.matchAll(/^ {2}\$ wasmatrix (\S+) ?(.*)$/gm)];
    expect(examples.length).toBeGreaterThan(0);
    for (const [, word, rest = ""] of examples) {
      expect(word).toBe(name);
      // Of a pipe, or another program inside, only what is ours.
      const flags =
        (rest.replace(/"\$\(.*\)"/, "").split(/ [|<>] | -- /)[0] ?? "").match(/(?<=^| )--?[a-z][a-z-]*/g) ?? [];
      for (const flag of flags) expect(known, `${name}: ${flag}`).toContain(flag);
    }
    expect(await runCaptured(["help", name])).toEqual(help);
  });

  test("is no wider than the terminal", async () => {
    const help = await runCaptured(["run", "--help"]);
    const [flags = ""] = help.stdout.split("Examples:");
    for (const line of flags.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("is what a missing command gets, as a mistake", async () => {
    expect(await runCaptured([])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("Usage: wasmatrix"),
    });
  });
});

describe("version", () => {
  test("is the package's, by command and by flag", async () => {
    const text = await runCaptured(["version"]);
    const json: unknown = JSON.parse((await runCaptured(["version", "--json"])).stdout);
    const flag = await runCaptured(["--version"]);
    expect(text).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^wasmatrix \d+\.\d+\.\d+\S* \(protocol \d+, Node \d+/),
    });
    expect(json).toEqual({ version: flag.stdout.trim(), protocol: PROTOCOL_VERSION, node: process.versions.node });
    expect(text.stdout).toContain(flag.stdout.trim());
  });
});
