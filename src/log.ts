/** Structured logs: one JSON object a line. */
import { systemClock, type Clock } from "./clock.ts";
import { isFault, reasonName } from "./fault.ts";

/** Severity, least first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a line carries besides its message. Never put a token, an environment value or a body here. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Takes log lines. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** `cause` is written with its stack and its own causes. */
  error(message: string, fields?: LogFields, cause?: unknown): void;
  /** A log that adds `fields` to every line. */
  with(fields: LogFields): Log;
}

/** How a JSON log is made. */
export type JsonLogOptions = {
  /** Takes one line without its newline. */
  readonly write: (line: string) => void;
  /** The least severe level that is written. Default `info`. */
  readonly level?: LogLevel;
  readonly clock?: Clock;
  readonly fields?: LogFields;
};

/** Makes a log that writes `{"time":...,"level":...,"message":...,...fields}` lines. */
export function createJsonLog(options: JsonLogOptions): Log {
  const clock = options.clock ?? systemClock;
  const least = SEVERITY[options.level ?? "info"];
  const line = (level: LogLevel, message: string, fields?: LogFields, cause?: unknown): void => {
    if (SEVERITY[level] < least) return;
    const time = new Date(clock.nowMs()).toISOString();
    const described = cause === undefined ? {} : { cause: causesText(cause) };
    const entry = { time, level, message, ...options.fields, ...fields, ...described };
    // A field of the same name must not hide what the line is about.
    options.write(JSON.stringify(Object.assign(entry, { time, level, message })));
  };
  return {
    debug: (message, fields) => line("debug", message, fields),
    info: (message, fields) => line("info", message, fields),
    warn: (message, fields) => line("warn", message, fields),
    error: (message, fields, cause) => line("error", message, fields, cause),
    with: (fields) => createJsonLog({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

/** A log that drops every line. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};

/** An error for those who look for its cause: its stack and those of the errors underneath, with the reasons of faults. Never throws. */
export function causesText(error: unknown): string {
  const parts: string[] = [];
  let current = error;
  for (let depth = 0; depth < CAUSE_DEPTH_MAX && current !== undefined; depth++) {
    if (!(current instanceof Error)) {
      parts.push(textOf(current));
      break;
    }
    const reason = isFault(current) ? ` [${reasonName(current.reason)}]` : "";
    parts.push((current.stack ?? current.message) + reason);
    current = current.cause;
  }
  return parts.join("\ncaused by: ");
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const CAUSE_DEPTH_MAX = 8;

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // Lost: what a value without a JSON form holds. A log must not fail over what it is told of a failure.
    return `a value that cannot be written (${typeof value})`;
  }
}
