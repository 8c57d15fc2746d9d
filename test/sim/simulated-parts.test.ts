/** What the simulator runs of the production code must not touch real time, randomness or I/O, or a seed would not replay. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const root: string = join(import.meta.dirname, "..", "..");

/** Where the simulator takes over from the production's entries. */
const SIMULATED: readonly string[] = [
  ...globSync("src/cp/**/*.ts", { cwd: root, exclude: ["src/cp/entry/**"] }),
  ...globSync("src/discovery/**/*.ts", { cwd: root }),
  "src/agent/agent.ts",
  "src/agent/fleet/node-fleet-service.ts",
  "src/agent/fleet/discovery-entries.ts",
  "src/agent/services/node-agent-service.ts",
  "src/rpc/server-interceptors.ts",
  "src/rpc/fault-transport.ts",
];

/** The one place that knows the real ones. */
const CLOCK = "src/clock.ts";

/** Calculates with addresses by what `node:net` has for it, and reaches nobody. */
const ADDRESSES = "src/providers/http/ip-address.ts";

const FORBIDDEN: readonly (readonly [string, RegExp])[] = [
  ["the wall clock", /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/],
  ["the steady clock", /\bperformance\b/],
  ["timers", /\bset(?:Timeout|Interval|Immediate)\b|\bAbortSignal\.timeout\b|\bqueueMicrotask\b/],
  ["randomness", /\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/],
  ["the process", /\bprocess\.|\brequire\(|\bimport\(/],
  ["the platform's modules", /\bfrom "node:|\bimport "node:/],
  // A `fetch` that a file is given is named in it without a call.
  ["the network", /^(?![\s\S]*\bfetch[,:}])[\s\S]*\bawait fetch\(|\bglobalThis\.fetch\b|\bnew WebSocket\b/],
];

/** What a file says, without comments, strings and types' imports. */
function codeOf(file: string): string {
  return readFileSync(join(root, file), "utf8")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(?<!:)\/\/.*$/gm, "")
    .replaceAll(/^import type [\s\S]*?;$/gm, "")
    .replaceAll(/`(?:[^`\\]|\\.)*`/g, "``");
}

/** A file and all that it loads of ours. */
function loadedBy(files: readonly string[]): ReadonlySet<string> {
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const [, target = ""] of codeOf(file).matchAll(/\bfrom "(\.{1,2}\/[^"]+)"/g))
      load(join(dirname(file), target));
  };
  for (const file of files) load(file);
  return loaded;
}

function offencesOf(code: string): readonly string[] {
  return FORBIDDEN.filter(([, pattern]) => pattern.test(code)).map(([what]) => what);
}

describe("the simulated parts of the production code", () => {
  test("touch no real time, randomness or I/O, nor does anything that they load", () => {
    const loaded = [...loadedBy(SIMULATED)].filter(
      (file) => file !== CLOCK && file !== ADDRESSES && !file.startsWith("src/gen/"),
    );
    const offences = loaded.flatMap((file) => offencesOf(codeOf(file)).map((what) => `${file}: ${what}`));
    expect(offences).toEqual([]);
    expect(loaded.length).toBeGreaterThan(120);
    expect(loaded).toContain("src/agent/restart-policy.ts");
    expect(loaded).toContain("src/cp/witness/generation-plan.ts");
  });

  test.each([
    "const at = Date.now();",
    "const at = new Date();",
    "const at = performance.now();",
    "setTimeout(act, 5);",
    "const signal = AbortSignal.timeout(5);",
    "const chance = Math.random();",
    "const id = crypto.randomUUID();",
    'import { readFile } from "node:fs/promises";',
    "const answer = await fetch(url);",
    "const level = process.env.LEVEL;",
  ])("would be seen to: %s", (line) => {
    expect(offencesOf(line)).toHaveLength(1);
  });

  test.each([
    "const at = clock.nowMs();",
    "const at = new Date(timeMs);",
    "await deps.fetch(request);",
    "const id = entropy.hex(16);",
  ])("may say: %s", (line) => {
    expect(offencesOf(line)).toEqual([]);
  });
});
