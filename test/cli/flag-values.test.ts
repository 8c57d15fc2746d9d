import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withKeyValue } from "../../src/cli/key-value-flag.ts";
import { KV_PERMISSIONS, kvGrantFromText, kvGrantText } from "../../src/cli/permissions/kv-grant-flag.ts";
import { restartFromText } from "../../src/cli/restart-flag.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { portFromText, wholeNumberFromText } from "../../src/cli/whole-number.ts";

describe("--allow-kv", () => {
  test("takes a bucket, permissions and a provider, each of which may be left out", () => {
    expect(kvGrantFromText("")).toEqual({ bucket: "", permissions: [], providerId: "" });
    expect(kvGrantFromText("visits")).toEqual({ bucket: "visits", permissions: [], providerId: "" });
    expect(kvGrantFromText("visits:read,write")).toEqual({
      bucket: "visits",
      permissions: ["kv:read", "kv:write"],
      providerId: "",
    });
    expect(kvGrantFromText(":kv:delete")).toEqual({ bucket: "", permissions: ["kv:delete"], providerId: "" });
    expect(kvGrantFromText("cache:read,read@kv-memory")).toEqual({
      bucket: "cache",
      permissions: ["kv:read"],
      providerId: "kv-memory",
    });
  });

  test.each(["visits:fly", "visits:", "visits:read,", "visits@"])("%j is refused", (text) => {
    expect(() => kvGrantFromText(text)).toThrow(UsageError);
  });

  test("survives the way to text and back", () => {
    const grant = fc.record({
      bucket: fc.stringMatching(/^[a-z0-9._-]{0,20}$/),
      permissions: fc.subarray([...KV_PERMISSIONS]),
      providerId: fc.stringMatching(/^[a-z0-9-]{0,10}$/),
    });
    fc.assert(
      fc.property(grant, (given) => {
        expect(kvGrantFromText(kvGrantText(given))).toEqual(given);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("--restart", () => {
  test("takes a policy, and a number of restarts where that makes sense", () => {
    expect(restartFromText("never")).toEqual({ kind: "never", retriesMax: 0 });
    expect(restartFromText("always")).toEqual({ kind: "always", retriesMax: 0 });
    expect(restartFromText("on-failure:5")).toEqual({ kind: "on-failure", retriesMax: 5 });
  });

  test.each([
    "",
    "sometimes",
    "on-failure:",
    "on-failure:0",
    "on-failure:x",
    "on-failure:1:2",
    "never:3",
    "on-failure:1000001",
  ])("%j is refused", (text) => {
    expect(() => restartFromText(text)).toThrow(UsageError);
  });

  test("every number of restarts within bounds is taken as it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (n) => restartFromText(`on-failure:${n}`).retriesMax === n),
      { numRuns: 1000 },
    );
  });
});

describe("KEY=VALUE", () => {
  test("keeps what stands behind the first =, and the last of the same key", () => {
    expect(withKeyValue("A=b=c", undefined)).toEqual({ A: "b=c" });
    expect(withKeyValue("A=", { A: "1", B: "2" })).toEqual({ A: "", B: "2" });
  });

  test("without a key or a = is refused", () => {
    expect(() => withKeyValue("A", undefined)).toThrow("A=VALUE");
    expect(() => withKeyValue("=1", undefined)).toThrow("is empty");
  });

  test("any key without = and any value come out as they went in", () => {
    const key = fc.string({ minLength: 1 }).filter((text) => !text.includes("=") && text !== "__proto__");
    fc.assert(
      fc.property(key, fc.string(), (name, value) => withKeyValue(`${name}=${value}`, undefined)[name] === value),
      { numRuns: 1000 },
    );
  });
});

describe("whole numbers", () => {
  test("within the bounds are taken, others refused with the bounds", () => {
    expect(wholeNumberFromText(1, 10)("10")).toBe(10);
    for (const text of ["0", "11", "1.5", "-1", "", "1e1", "0x1"])
      expect(() => wholeNumberFromText(1, 10)(text)).toThrow("from 1 to 10");
    expect(portFromText("0")).toBe(0);
    expect(() => portFromText("65536")).toThrow("65535");
  });
});
