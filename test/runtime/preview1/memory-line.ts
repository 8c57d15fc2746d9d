/** A guest line in memory, for preview 1 without an agent. */
import type { LocalRights } from "../../../src/providers/local-rights.ts";
import type { ByteSink, ByteSource, GuestLine } from "../../../src/runtime/host/guest-line.ts";
import { fillRandom, monotonicNowNs, sleepUntil, wallNowNs } from "../../../src/runtime/pool/thread/thread-clocks.ts";

/** What the other end of the line can see and do. */
export type MemoryLine = GuestLine & {
  written: { stdout: string; stderr: string };
  audits: string[];
  setRights(rights: LocalRights): void;
};

/** Choices of a test. */
export type MemoryLineOptions = {
  readonly args?: readonly string[];
  readonly rights?: Partial<LocalRights>;
  readonly stdin?: ByteSource;
  readonly stdout?: ByteSink;
  /** Clocks that stand still; real ones if left out. */
  readonly nowNs?: () => bigint;
};

/** Opens a line. */
export function openMemoryLine(options: MemoryLineOptions = {}): MemoryLine {
  let rights: LocalRights = { folders: [], env: {}, ...options.rights };
  const written = { stdout: "", stderr: "" };
  const audits: string[] = [];
  const sink = (stream: "stdout" | "stderr"): ByteSink => ({
    room: () => 1 << 20,
    whenRoom: () => Promise.resolve(),
    write: (bytes) => void (written[stream] += Buffer.from(bytes).toString()),
    failure: undefined,
    finish: () => undefined,
    abort: () => undefined,
  });
  const refuse = (): never => {
    throw new Error("preview 1 has no use for this");
  };
  return {
    written,
    audits,
    setRights: (changed) => void (rights = changed),
    kv: refuse,
    messaging: refuse,
    http: refuse,
    log: refuse,
    stdout: options.stdout ?? sink("stdout"),
    stderr: sink("stderr"),
    stdin: options.stdin ?? sourceOf(""),
    args: options.args ?? ["prog"],
    config: new Map(),
    rights: () => rights,
    audit: (permission, outcome) => void audits.push(`${outcome} ${permission}`),
    sleepUntil: (untilNs) => sleepUntil(untilNs, () => undefined),
    monotonicNowNs: options.nowNs ?? monotonicNowNs,
    wallNowNs: options.nowNs ?? wallNowNs,
    fillRandom,
  };
}

/** A source that gives a text and then its end. */
export function sourceOf(text: string): ByteSource {
  let rest = new Uint8Array(Buffer.from(text));
  return {
    isReady: () => true,
    whenReady: () => Promise.resolve(),
    take(maxBytes) {
      if (rest.length === 0) return { kind: "end", trailers: undefined };
      const bytes = rest.slice(0, maxBytes);
      rest = rest.slice(maxBytes);
      return { kind: "bytes", bytes };
    },
    cancel: () => undefined,
  };
}
