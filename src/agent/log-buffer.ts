/** The last lines that one instance wrote, and who follows them. No I/O. */
import { createLineSplitter, LINE_MAX_BYTES, type LineSplitter } from "./line-splitter.ts";

/** One line of output. */
export type OutputLine = {
  /** Counts the instance's lines from 1; a jump means that lines were dropped. */
  readonly sequence: number;
  readonly stream: "stdout" | "stderr" | "logging";
  readonly timeMs: number;
  /** Without its end. */
  readonly text: string;
  /** Of a line of `wasi:logging`; otherwise empty. */
  readonly level: string;
};

/** Bounds of what is kept for one instance. */
export type LogBufferLimits = {
  readonly linesMax: number;
  /** Length of the kept texts in UTF-16 units. */
  readonly charactersMax: number;
  /** Lines that may wait for one slow follower; beyond, the oldest are dropped. */
  readonly followerMaxLines: number;
};

/** Enough to see what went wrong, little enough for thousands of instances. */
export const LOG_BUFFER_LIMITS: LogBufferLimits = {
  linesMax: 2_000,
  charactersMax: 512 * 1024,
  followerMaxLines: 1_000,
};

/** Who reads along. */
export interface LogFollower {
  /** Lines since the last call, at least one; waits for them. Empty once the instance has ended for good, or after `close`. */
  next(): Promise<readonly OutputLine[]>;
  /** Ends a `next` that waits. May be called twice. */
  close(): void;
}

/** See the top of the file. */
export interface LogBuffer {
  /** Length of the kept texts in UTF-16 units. */
  readonly characters: number;
  /** Number of the youngest line, 0 before the first. */
  readonly lastSequence: number;
  /** Takes a whole line of an earlier life. */
  restore(line: Omit<OutputLine, "sequence">): void;
  /** Takes output as it is written. */
  write(stream: "stdout" | "stderr", bytes: Uint8Array, timeMs: number): void;
  /** Takes a structured log line; a text of several lines becomes several. */
  log(level: string, text: string, timeMs: number): void;
  /** The run is over: what was written without a newline becomes a line. */
  endRun(timeMs: number): void;
  /** Kept lines after `afterSequence`, of them the last `lastLines` (0 means all). */
  lines(options: { readonly afterSequence: number; readonly lastLines: number }): readonly OutputLine[];
  /** Follows from the line after `afterSequence` on; kept lines come first. */
  follow(afterSequence: number): LogFollower;
  /** No more lines will come: followers get what waits for them, then an end. */
  end(): void;
}

/** An empty buffer. */
export function createLogBuffer(limits: LogBufferLimits = LOG_BUFFER_LIMITS): LogBuffer {
  const splitters: Readonly<Record<"stdout" | "stderr", LineSplitter>> = {
    stdout: createLineSplitter(),
    stderr: createLineSplitter(),
  };
  const followers = new Set<Queue>();
  let kept: OutputLine[] = [];
  let head = 0;
  let characters = 0;
  let sequence = 0;
  let ended = false;

  const add = (origin: Pick<OutputLine, "stream" | "level" | "timeMs">, texts: readonly string[]): void => {
    for (const text of texts) {
      const line: OutputLine = { ...origin, sequence: ++sequence, text };
      kept.push(line);
      characters += text.length;
      for (const follower of followers) follower.push(line);
    }
    while (kept.length - head > limits.linesMax || (characters > limits.charactersMax && kept.length - head > 1)) {
      characters -= kept[head]?.text.length ?? 0;
      head += 1;
    }
    if (head > limits.linesMax) {
      kept = kept.slice(head);
      head = 0;
    }
  };

  const after = (afterSequence: number): readonly OutputLine[] => {
    const oldest = sequence - (kept.length - head) + 1;
    return kept.slice(head + Math.max(0, afterSequence - oldest + 1));
  };

  return {
    get characters() {
      return characters;
    },
    get lastSequence() {
      return sequence;
    },
    restore: ({ text, ...origin }) => add(origin, [text]),
    write: (stream, bytes, timeMs) => add({ stream, level: "", timeMs }, splitters[stream].push(bytes)),
    log: (level, text, timeMs) => add({ stream: "logging", level, timeMs }, logLines(text)),
    endRun(timeMs) {
      add({ stream: "stdout", level: "", timeMs }, splitters.stdout.flush());
      add({ stream: "stderr", level: "", timeMs }, splitters.stderr.flush());
    },
    lines({ afterSequence, lastLines }) {
      const lines = after(afterSequence);
      return lastLines === 0 ? lines : lines.slice(-lastLines);
    },
    follow(afterSequence) {
      const queue = createQueue(limits.followerMaxLines, () => followers.delete(queue));
      for (const line of after(afterSequence)) queue.push(line);
      if (ended) queue.end();
      else followers.add(queue);
      return queue;
    },
    end() {
      ended = true;
      for (const follower of followers) follower.end();
      followers.clear();
    },
  };
}

/** Cut as output is; a character is at most four bytes long. */
function logLines(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => line.match(LINE_PIECES) ?? [""])
    .map((piece) => piece.toWellFormed());
}

const LINE_PIECES = new RegExp(`[^]{1,${LINE_MAX_BYTES / 4}}`, "gu");

type Queue = LogFollower & { push(line: OutputLine): void; end(): void };

function createQueue(linesMax: number, onClose: () => void): Queue {
  let waiting: OutputLine[] = [];
  let ended = false;
  let wake: () => void = () => undefined;
  return {
    push(line) {
      waiting.push(line);
      // The jump in sequence tells the follower that it was too slow.
      if (waiting.length > linesMax) waiting.shift();
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async next() {
      if (waiting.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
      const lines = waiting;
      waiting = [];
      return lines;
    },
    close() {
      ended = true;
      wake();
      onClose();
    },
  };
}
