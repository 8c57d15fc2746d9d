import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutputMeter, linesIn } from "../../../src/runtime/pool/output-meter.ts";

describe("what a guest writes in any minute", () => {
  it("may come to the limit, and no more; what is a minute old counts no longer", () => {
    const meter = createOutputMeter({ outputMaxBytesPerMinute: 100, outputMaxLinesPerMinute: 3 });
    expect(meter.add(100, 1, 5_000)).toBeUndefined();
    expect(meter.add(1, 0, 64_000)).toBe("outputMaxBytesPerMinute");
    expect(meter.add(99, 2, 65_500)).toBeUndefined();
    expect(meter.add(0, 1, 66_000)).toBeUndefined();
    expect(meter.add(0, 1, 66_000)).toBe("outputMaxLinesPerMinute");
  });

  it("is what a count over all that was written says", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ bytes: fc.nat(50), waitMs: fc.nat(20_000) }), { maxLength: 40 }), (pieces) => {
        const meter = createOutputMeter({ outputMaxBytesPerMinute: 200, outputMaxLinesPerMinute: 1_000 });
        const written: { readonly bytes: number; readonly second: number }[] = [];
        let nowMs = 1_000;
        for (const { bytes, waitMs } of pieces) {
          nowMs += waitMs;
          const second = Math.floor(nowMs / 1_000);
          written.push({ bytes, second });
          const sum = written.reduce((total, each) => total + (each.second > second - 60 ? each.bytes : 0), 0);
          expect(meter.add(bytes, 0, nowMs)).toBe(sum > 200 ? "outputMaxBytesPerMinute" : undefined);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("counts lines by their ends", () => {
    expect(["", "a", "a\n", "\n\n", "a\nb\nc"].map((text) => linesIn(Buffer.from(text)))).toEqual([0, 0, 1, 2, 2]);
  });
});
