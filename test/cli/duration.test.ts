import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DURATION_MAX_MS, durationMsFromText, durationText, roughDurationText } from "../../src/cli/duration.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

describe("durations", () => {
  test("are read with units, decimals and several parts", () => {
    expect(durationMsFromText("30s")).toBe(30_000);
    expect(durationMsFromText("500ms")).toBe(500);
    expect(durationMsFromText("2m")).toBe(120_000);
    expect(durationMsFromText("1h30m")).toBe(5_400_000);
    expect(durationMsFromText("1.5s")).toBe(1500);
    expect(durationMsFromText(" 2D ")).toBe(172_800_000);
    expect(durationMsFromText("0")).toBe(0);
  });

  test.each([
    ["", "missing"],
    ["30", "write 30s or 30ms"],
    ["-5s", "not a duration"],
    ["5 minutes", "not a duration"],
    ["5x", "not a duration"],
    ["0.1ms", "shorter than a millisecond"],
    ["10001d", "longer than 10000d"],
  ])("%j is refused with what is wrong", (text, problem) => {
    expect(() => durationMsFromText(text)).toThrow(UsageError);
    expect(() => durationMsFromText(text)).toThrow(problem);
  });

  test("of whole milliseconds survive the way to text and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: DURATION_MAX_MS }), (ms) => durationMsFromText(durationText(ms)) === ms),
      { numRuns: 1000 },
    );
  });

  test("any text is either read as a whole number of milliseconds within bounds or refused as a mistake of the user", () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,4}(ms|s|m|h|d|x)?[0-9.]{0,3}(ms|s|m)?$/));
    fc.assert(
      fc.property(text, (given) => {
        try {
          const ms = durationMsFromText(given);
          return Number.isInteger(ms) && ms >= 0 && ms <= DURATION_MAX_MS;
        } catch (error) {
          return error instanceof UsageError;
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("in tables show one unit", () => {
    expect(["45s", "3m", "5h", "3d", "0s"]).toEqual(
      [45_000, 200_000, 5 * 3_600_000, 80 * 3_600_000, -5].map(roughDurationText),
    );
  });
});
