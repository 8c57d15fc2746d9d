import { describe, expect, it } from "vitest";
import type { Ending, GuestLimits } from "../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime } from "../runtime/guest-starts.ts";
import { exampleModule } from "./example-guests.ts";

const runtime = testRuntime();
const STATS = exampleModule("stats");

async function statsOf(
  input: string,
  limits: Partial<GuestLimits> = {},
): Promise<{ ending: Ending; stdout: string; stderr: string }> {
  const host = recordingHost();
  const guest = await runtime.start(guestStart(STATS, { args: ["stats"], stdin: Buffer.from(input), host, limits }));
  return { ending: await guest.ended, ...host.written };
}

const succeeded: Ending = { kind: "exited", exitCode: 0 };

describe("the example stats", () => {
  it("is a command", async () => {
    expect((await runtime.inspect(STATS)).kind).toBe("command");
  });

  it("prints statistics of the numbers that it reads", async () => {
    expect(await statsOf("4\n1\n3\n2\n")).toEqual({
      ending: succeeded,
      stdout: "count  4\nsum    10\nmin    1\nmax    4\nmean   2.5\nmedian 2.5\n",
      stderr: "",
    });
  });

  it("takes any decimal notation, blank lines, either line ending, and no newline at the end", async () => {
    const { ending, stdout, stderr } = await statsOf("  1.5\r\n\n\t-3e2  \n+.25\n1000000000000");
    expect({ ending, stderr }).toEqual({ ending: succeeded, stderr: "" });
    expect(stdout).toBe(
      "count  4\nsum    999999999701.75\nmin    -300\nmax    1000000000000\nmean   249999999925.438\nmedian 0.875\n",
    );
  });

  it("skips what is no number, with a note for each line", async () => {
    const { ending, stdout, stderr } = await statsOf("1\nabc\n0x10\nnan\n1e999\n1 2\n3\n");
    expect(ending).toEqual(succeeded);
    expect(stdout).toMatch(/^count {2}2\nsum {4}4\n/);
    expect(stderr.split("\n")).toEqual([
      "line 2 skipped: not a number: abc",
      "line 3 skipped: not a number: 0x10",
      "line 4 skipped: not a number: nan",
      "line 5 skipped: not a number: 1e999",
      "line 6 skipped: not a number: 1 2",
      "",
    ]);
  });

  it("notes at most ten lines, and cuts long ones", async () => {
    const { ending, stderr } = await statsOf(`1\n${"x".repeat(10_000)}\n${"y\n".repeat(20)}`);
    expect(ending).toEqual(succeeded);
    const notes = stderr.trimEnd().split("\n");
    expect(notes[0]).toBe(`line 2 skipped: not a number: ${"x".repeat(40)}`);
    expect(notes).toHaveLength(11);
    expect(notes[10]).toBe("and 11 more lines skipped");
  });

  it.each(["", "\n\n", "no numbers here\n"])("exits with 1 when there is no number in %j", async (input) => {
    const { ending, stdout, stderr } = await statsOf(input);
    expect(ending).toEqual({ kind: "exited", exitCode: 1 });
    expect(stdout).toBe("");
    expect(stderr).toContain("no number in the input");
  });

  it("sums many numbers without losing the small ones", async () => {
    const { stdout } = await statsOf(`1e16\n${"1\n".repeat(10_000)}-1e16\n`);
    expect(stdout).toContain("count  10002\nsum    10000\n");
  });

  it("exits with 2 when the numbers do not fit into its memory, and succeeds where they do", async () => {
    const input = "1\n".repeat(100_000);
    const refused = await statsOf(input, { memoryMaxBytes: 1024 * 1024 });
    expect(refused.ending).toEqual({ kind: "exited", exitCode: 2 });
    expect(refused.stderr).toMatch(/^out of memory after \d+ numbers\n$/);
    expect((await statsOf(input, { memoryMaxBytes: 8 * 1024 * 1024 })).ending).toEqual(succeeded);
  });
});
