/** Lines of a guest's output, onto the user's own stdout and stderr. */
import { LogLineSchema, LogStream, type LogLine } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { CliIo } from "./cli-io.ts";
import { timeText } from "./instance-text.ts";
import { lineText, messageJson } from "./json-output.ts";
import { printable } from "./printable.ts";

/** How lines are shown. */
export type LineStreamOptions = {
  readonly json: boolean;
  /** Whether each line begins with its time. */
  readonly timestamps: boolean;
  /** Stands in front of each line; to tell several instances apart. */
  readonly prefix: string;
};

/** Writes lines: what the guest wrote to stderr, or to its log, goes to stderr. Says so when lines were dropped in between. */
export function createLineStream(io: CliIo, options: LineStreamOptions): (lines: readonly LogLine[]) => Promise<void> {
  let last = 0n;
  return async (lines) => {
    for (const line of lines) {
      // The agent counts from 1 again after it was restarted.
      if (last > 0n && line.sequence > last + 1n)
        await io.stderr.write(`note: ${line.sequence - last - 1n} lines were dropped here\n`);
      last = line.sequence;
      if (options.json) {
        await io.stdout.write(lineText(messageJson(LogLineSchema, line)));
        continue;
      }
      const stream = TO_STDERR.includes(line.stream) ? io.stderr : io.stdout;
      const time = options.timestamps ? `${timeText(line.time)} ` : "";
      const level = line.level === "" ? "" : `${printable(line.level)}: `;
      await stream.write(`${options.prefix}${time}${level}${line.text}\n`);
    }
  };
}

const TO_STDERR: readonly LogStream[] = [LogStream.STDERR, LogStream.LOGGING];
