/** The error vocabulary. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { codeFromReason, reasonName, Reason } from "../src/fault.ts";
import { ReasonSchema } from "../src/gen/wasmatrix/v1/error_pb.ts";

describe("reasons", () => {
  test("have the same names and numbers as in the generated descriptor", () => {
    for (const { number, localName } of ReasonSchema.values) {
      expect(Object.entries(Reason)).toContainEqual([localName, number]);
    }
    expect(Object.keys(Reason)).toHaveLength(ReasonSchema.values.length);
    expect(reasonName(Reason.BODY_TOO_LARGE)).toBe("BODY_TOO_LARGE");
  });

  test("have the codes that the contract's comments say", () => {
    const contract = readFileSync(join(import.meta.dirname, "..", "proto", "wasmatrix", "v1", "error.proto"), "utf8");
    const said = [...contract.matchAll(/Code: (\w+)\.\n\s*REASON_(\w+) =/g)];
    expect(said.length).toBeGreaterThan(40);
    for (const [, code = "", name = ""] of said) {
      const reason = Object.entries(Reason).find(([each]) => each === name)?.[1] ?? Reason.UNSPECIFIED;
      expect(codeFromReason(reason), name).toBe(code);
    }
  });
});
