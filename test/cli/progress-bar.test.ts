import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createProgressBar, progressText } from "../../src/cli/progress-bar.ts";
import { createCapturedIo } from "./captured-io.ts";

describe("the progress bar", () => {
  test("shows title, share and size", () => {
    expect(progressText({ title: "Uploading a.wasm", done: 512, total: 1024, columns: 60 })).toBe(
      "Uploading a.wasm [=============            ]  50 % of 1 KiB",
    );
  });

  test("is always narrower than the terminal", () => {
    const progress = fc.record({
      title: fc.string({ maxLength: 40 }),
      done: fc.nat(),
      total: fc.nat(),
      columns: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(progress, (given) => progressText(given).length < given.columns),
      { numRuns: 1000 },
    );
  });

  test("is drawn on a terminal and taken off it again", async () => {
    const captured = createCapturedIo({ isTerminal: true });
    const bar = createProgressBar({
      stream: captured.io.stderr,
      clock: captured.io.clock,
      title: "Up",
      totalBytes: 10,
    });
    await bar.advance(1);
    await bar.advance(2);
    await bar.advance(10);
    await bar.close();
    await bar.close();
    // The second step came too soon after the first to be worth drawing.
    expect(
      captured
        .stderr()
        .split("\r")
        .map((part) => part.replace("\u001b[K", "")),
    ).toEqual(["", expect.stringContaining("10 %"), expect.stringContaining("100 %"), ""]);
  });

  test("is silent elsewhere", async () => {
    const captured = createCapturedIo();
    const bar = createProgressBar({
      stream: captured.io.stderr,
      clock: captured.io.clock,
      title: "Up",
      totalBytes: 10,
    });
    await bar.advance(10);
    await bar.close();
    expect(captured.stderr()).toBe("");
  });
});
