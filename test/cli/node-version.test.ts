import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeTooOld } from "../../src/cli/node-version.ts";

test("a Node that is too old is named, with the oldest that will do", () => {
  expect(nodeTooOld("20.20.2")).toBe("error: Cannot run under Node 20.20.2: wasmatrix needs Node 24 or newer");
});

test("the oldest Node that will do is the one that the package asks for", () => {
  const { engines } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
    readonly engines: { readonly node: string };
  };
  const oldest = engines.node.replace(">=", "");
  expect(nodeTooOld(`${oldest}.0.0`)).toBeUndefined();
  expect(nodeTooOld(process.versions.node)).toBeUndefined();
  expect(nodeTooOld(`${String(Number(oldest) - 1)}.99.0`)).toBeDefined();
});
