/** Counts what a guest writes in any minute. */

/** What it is held to. */
export type OutputLimits = { readonly outputMaxBytesPerMinute: number; readonly outputMaxLinesPerMinute: number };

/** See the top of the file. */
export interface OutputMeter {
  /** Counts a piece of output at `nowMs`; returns the limit that it exceeds, if it does. */
  add(bytes: number, lines: number, nowMs: number): keyof OutputLimits | undefined;
}

const SLOTS = 60;
const SLOT_MS = 1_000;

/** Makes a meter that has counted nothing. */
export function createOutputMeter({ outputMaxBytesPerMinute, outputMaxLinesPerMinute }: OutputLimits): OutputMeter {
  /** A sum for each second of the last minute, in a ring. */
  const slots: { bytes: number; lines: number }[] = [];
  let newest = 0;
  let totalBytes = 0;
  let totalLines = 0;

  function advanceTo(second: number): void {
    if (slots.length === 0) newest = second;
    // A clock that was set back makes the window longer, never shorter.
    for (let step = Math.min(second - newest, SLOTS); step > 0; step -= 1) clear(slots[(second - step + 1) % SLOTS]);
    newest = Math.max(newest, second);
  }

  function clear(slot: { bytes: number; lines: number } | undefined): void {
    if (slot === undefined) return;
    totalBytes -= slot.bytes;
    totalLines -= slot.lines;
    slot.bytes = 0;
    slot.lines = 0;
  }

  return {
    add(bytes, lines, nowMs) {
      advanceTo(Math.floor(nowMs / SLOT_MS));
      const slot = (slots[newest % SLOTS] ??= { bytes: 0, lines: 0 });
      slot.bytes += bytes;
      slot.lines += lines;
      totalBytes += bytes;
      totalLines += lines;
      if (totalBytes > outputMaxBytesPerMinute) return "outputMaxBytesPerMinute";
      return totalLines > outputMaxLinesPerMinute ? "outputMaxLinesPerMinute" : undefined;
    },
  };
}

const LINE_END = 10;

/** Lines that end within `bytes`. */
export function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_END); at >= 0; at = bytes.indexOf(LINE_END, at + 1)) lines += 1;
  return lines;
}
