/** A progress bar on stderr, for people only. */
import type { Clock } from "../clock.ts";
import { byteSizeText } from "./byte-size.ts";
import type { OutputStream } from "./cli-io.ts";

/** Shows how far something is. */
export interface ProgressBar {
  /** `done` of the total is done. */
  advance(done: number): Promise<void>;
  /** Takes the bar off the screen. May be called twice. */
  close(): Promise<void>;
}

/** What the bar shows. */
export type ProgressBarOptions = {
  readonly stream: OutputStream;
  readonly clock: Clock;
  /** `Uploading app.wasm`. */
  readonly title: string;
  readonly totalBytes: number;
};

const REDRAW_MS = 50;

/** Makes a bar that draws at most every 50 ms; one that does nothing if the stream is no terminal. */
export function createProgressBar(options: ProgressBarOptions): ProgressBar {
  const { stream, clock } = options;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let isOnScreen = false;
  return {
    async advance(done) {
      const nowMs = clock.nowMs();
      if (!stream.isTerminal || (nowMs - drawnAtMs < REDRAW_MS && done < options.totalBytes)) return;
      drawnAtMs = nowMs;
      isOnScreen = true;
      await stream.write(
        `\r${progressText({ title: options.title, done, total: options.totalBytes, columns: stream.columns })}\u001b[K`,
      );
    },
    async close() {
      if (!isOnScreen) return;
      isOnScreen = false;
      await stream.write("\r\u001b[K");
    },
  };
}

/** How far it is. */
export type Progress = {
  readonly title: string;
  readonly done: number;
  readonly total: number;
  readonly columns: number;
};

/** The bar as one line that is narrower than `columns`; pure. */
export function progressText(progress: Progress): string {
  const { title, total, columns } = progress;
  const share = total === 0 ? 1 : Math.min(1, Math.max(0, progress.done / total));
  const numbers = `${Math.floor(share * 100)
    .toString()
    .padStart(3)} % of ${byteSizeText(total)}`;
  const room = columns - 1;
  const bar = Math.min(40, room - title.length - numbers.length - 4);
  if (bar < 5) return `${title} ${numbers}`.slice(0, Math.max(0, room));
  const full = Math.round(share * bar);
  return `${title} [${"=".repeat(full)}${" ".repeat(bar - full)}] ${numbers}`;
}
