import { describe, expect, test } from "vitest";
import { LIMITS, limitFlag, limitReader, limitText, protoFromLimitValues } from "../../src/cli/limit-flags.ts";
import { LimitsSchema } from "../../src/gen/wasmatrix/v1/instance_pb.ts";

describe("the limits", () => {
  test("are all fields of the contract, each with a flag, a name and a way back", () => {
    expect(LIMITS).toHaveLength(LimitsSchema.fields.length);
    for (const [index, { name, field, inForce }] of LIMITS.entries()) {
      const value = 1000 + index;
      const limits = protoFromLimitValues({ [name]: value });
      expect(inForce(limits), name).toBe(value);
      // No other limit is touched.
      expect(LIMITS.filter((other) => other.inForce(limits) !== 0)).toHaveLength(1);
      expect(Object.keys(field(value))).toHaveLength(1);
    }
    expect(limitFlag("outputBytesPerMinute")).toBe("--output-bytes-per-minute");
  });

  test("left out are the node's defaults", () => {
    for (const { inForce } of LIMITS) expect(inForce(protoFromLimitValues({}))).toBe(0);
  });

  test("are read and shown with their units", () => {
    expect(limitReader("size")("64MiB")).toBe(67_108_864);
    expect(limitReader("duration")("1m30s")).toBe(90_000);
    expect(limitReader("count")("7")).toBe(7);
    expect([limitText("size", 67_108_864), limitText("duration", 90_000), limitText("count", 7)]).toEqual([
      "64 MiB",
      "1m30s",
      "7",
    ]);
    expect(limitText("duration", 0)).toBe("none");
  });

  test("of 0 or beyond what can travel are refused", () => {
    expect(() => limitReader("size")("0")).toThrow("more than 0");
    expect(() => limitReader("duration")("0")).toThrow("more than 0");
    expect(() => limitReader("duration")("31d")).toThrow("longer than 30d");
    expect(limitReader("duration")("30d")).toBe(2_592_000_000);
  });
});
