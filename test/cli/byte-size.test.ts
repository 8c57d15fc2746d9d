import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BYTE_SIZE_MAX, byteSizeText, bytesFromText } from "../../src/cli/byte-size.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

describe("sizes", () => {
  test("are read with units of 1000 and of 1024, decimals, and as plain bytes", () => {
    expect(bytesFromText("64MiB")).toBe(67_108_864);
    expect(bytesFromText("1.5GB")).toBe(1_500_000_000);
    expect(bytesFromText("65536")).toBe(65_536);
    expect(bytesFromText("1 kib")).toBe(1024);
    expect(bytesFromText("7b")).toBe(7);
  });

  test.each([
    ["", "not a size"],
    ["64M", "write 64MiB (of 1024) or 64MB (of 1000)"],
    ["64XB", '"XB" is not a unit'],
    ["-1", "not a size"],
    ["MiB", "not a size"],
    ["2000TiB", "larger than 1024TiB"],
  ])("%j is refused with what is wrong", (text, problem) => {
    expect(() => bytesFromText(text)).toThrow(UsageError);
    expect(() => bytesFromText(text)).toThrow(problem);
  });

  test("whole numbers of a unit survive the way to text and back", () => {
    const units = fc.constantFrom(1, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40);
    fc.assert(
      fc.property(
        units,
        fc.integer({ min: 0, max: 1023 }),
        (unit, amount) => bytesFromText(byteSizeText(unit * amount)) === unit * amount,
      ),
      { numRuns: 1000 },
    );
  });

  test("text for people is never off by more than a twentieth, and never shows 1024 of a unit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: BYTE_SIZE_MAX }), (bytes) => {
        const text = byteSizeText(bytes);
        return (
          Math.abs(bytesFromText(text) - bytes) <= bytes / 20 &&
          (!text.startsWith("1024 ") || bytes >= BYTE_SIZE_MAX * 0.999)
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("just below a unit are shown in that unit", () => {
    expect(byteSizeText(1024 * 1024 - 1)).toBe("1 MiB");
    expect(byteSizeText(1023)).toBe("1023 B");
  });

  test("text takes 64-bit integers, as the contract has them", () => {
    expect(byteSizeText(67_108_864n)).toBe("64 MiB");
    expect(byteSizeText(0n)).toBe("0 B");
  });
});
