/** Cuts a guest's output into lines. No I/O. */

/** Where a line is cut if no newline comes, in bytes. */
export const LINE_MAX_BYTES: number = 16 * 1024;

/** Takes one stream in chunks and gives its lines, without their ends. */
export interface LineSplitter {
  /** The lines that `chunk` completes. A line longer than `LINE_MAX_BYTES` comes in pieces. */
  push(chunk: Uint8Array): readonly string[];
  /** What is left without a newline, if anything; the next `push` begins a new line. */
  flush(): readonly string[];
}

/** A splitter at the beginning of a line. Invalid UTF-8 becomes U+FFFD; a carriage return before a newline is dropped. */
export function createLineSplitter(): LineSplitter {
  let rest: Uint8Array = new Uint8Array(0);

  const cutLong = (lines: string[]): void => {
    while (rest.length > LINE_MAX_BYTES) {
      const end = characterStart(rest, LINE_MAX_BYTES);
      lines.push(textFrom(rest.subarray(0, end)));
      rest = rest.slice(end);
    }
  };

  return {
    push(chunk) {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        rest = joined(rest, chunk.subarray(start, end));
        cutLong(lines);
        lines.push(textFrom(rest));
        rest = new Uint8Array(0);
        start = end + 1;
      }
      rest = joined(rest, chunk.subarray(start));
      cutLong(lines);
      return lines;
    },
    flush() {
      if (rest.length === 0) return [];
      const line = textFrom(rest);
      rest = new Uint8Array(0);
      return [line];
    },
  };
}

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Copies, because the chunk belongs to whoever gave it. */
function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length === 0) return right.slice();
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

function textFrom(bytes: Uint8Array): string {
  return decoder.decode(bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes);
}

/** The last place at or before `at` where a UTF-8 character may begin; `at` itself if the bytes are no UTF-8. */
function characterStart(bytes: Uint8Array, at: number): number {
  for (let start = at; start > at - 4; start--) if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start;
  return at;
}
