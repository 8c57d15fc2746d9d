/** The error vocabulary. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { codeFromReason, fault, reasonName, Reason } from "../src/fault.ts";
import { ReasonSchema } from "../src/gen/wasmatrix/v1/error_pb.ts";

describe("reasons", () => {
  test("codes are connect's own, and none but an unset reason is unknown", () => {
    const known = new Set(Object.values(Code));
    for (const [name, reason] of Object.entries(Reason)) {
      expect(known.has(codeFromReason(reason)), name).toBe(true);
      expect(codeFromReason(reason) === Code.Unknown, name).toBe(reason === Reason.UNSPECIFIED);
    }
    expect(fault(Reason.MODULE_NOT_WASM, "x").code).toBe(Code.InvalidArgument);
    expect(fault(Reason.UNAUTHENTICATED, "x").code).toBe(Code.Unauthenticated);
    expect(fault(Reason.DISCOVERY_UNAVAILABLE, "x").code).toBe(Code.Unavailable);
  });

  test("have the same names and numbers as in the generated descriptor", () => {
    for (const { number, localName } of ReasonSchema.values) {
      expect(reasonName(number)).toBe(localName);
      expect(Reason).toHaveProperty(localName, number);
    }
    expect(reasonName(9_999)).toBe("UNSPECIFIED");
  });

  test("have the codes that the contract's comments say", () => {
    const contract = readFileSync(join(import.meta.dirname, "..", "proto", "wasmatrix", "v1", "error.proto"), "utf8");
    const said = [...contract.matchAll(/Code: (\w+)\.\n\s*REASON_(\w+) =/g)];
    expect(said.length).toBeGreaterThan(40);
    for (const [, code = "", name = ""] of said) {
      const reason = Object.entries(Reason).find(([each]) => each === name)?.[1] ?? Reason.UNSPECIFIED;
      expect(Code[codeFromReason(reason)]?.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase(), name).toBe(code);
    }
  });
});
