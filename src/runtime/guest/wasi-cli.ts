/** `wasi:cli`, `wasi:clocks`, `wasi:random` and `wasi:logging`: what surrounds a guest that has no terminal and no files. */
import { randomBytes } from "node:crypto";
import type { AgentChannel } from "./agent-channel.ts";
import { guestClocks } from "./guest-clocks.ts";
import { GuestExit } from "./guest-exit.ts";
import type { MessagePump } from "./message-pump.ts";
import { InputStream, OutputStream, Pollable, STREAM_CLOSED, type ByteSink } from "./wasi-io.ts";

/** What the guest was started with. */
export type GuestSurroundings = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
};

type Interfaces = Record<string, Record<string, unknown>>;

const OUTPUT_ROOM_BYTES = 64 * 1024;
const RANDOM_MAX_BYTES = 1024n * 1024n;
const NS_PER_S = 1_000_000_000n;

/** Resources `terminal-input` and `terminal-output`: a guest has neither. */
class Terminal {
  readonly isThere = false;
}

/** The interfaces of `wasi:cli` by their names without version. */
export function cliInterfaces(
  channel: AgentChannel,
  pump: MessagePump,
  { args, env, stdin }: GuestSurroundings,
): Interfaces {
  const exit = (exitCode: number): never => {
    // Said before it is thrown: guest code may catch what is thrown.
    channel.post({ kind: "ended", ending: { kind: "exited", exitCode } });
    throw new GuestExit(exitCode);
  };
  return {
    "wasi:cli/environment": {
      getEnvironment: () => Object.entries(env),
      getArguments: () => [...args],
      initialCwd: () => undefined,
    },
    "wasi:cli/exit": { exit: (status: { tag: "ok" | "err" }) => exit(status.tag === "ok" ? 0 : 1), exitWithCode: exit },
    "wasi:cli/stdin": { getStdin: () => new InputStream(bytesSource(stdin), pump) },
    "wasi:cli/stdout": { getStdout: () => new OutputStream(outputSink(channel, "stdout"), pump) },
    "wasi:cli/stderr": { getStderr: () => new OutputStream(outputSink(channel, "stderr"), pump) },
    "wasi:cli/terminal-input": { TerminalInput: Terminal },
    "wasi:cli/terminal-output": { TerminalOutput: Terminal },
    "wasi:cli/terminal-stdin": { getTerminalStdin: () => undefined },
    "wasi:cli/terminal-stdout": { getTerminalStdout: () => undefined },
    "wasi:cli/terminal-stderr": { getTerminalStderr: () => undefined },
    "wasi:logging/logging": {
      log(level: string, context: string, message: string) {
        const text = `${level.toUpperCase()} ${context === "" ? "" : `[${context}] `}${message}\n`;
        channel.writeOutput("stderr", new TextEncoder().encode(text));
      },
    },
  };
}

/** The interfaces of `wasi:clocks`. */
export function clockInterfaces(pump: MessagePump): Interfaces {
  const { wallNs, monotonicNs } = guestClocks;
  const at = (instant: bigint): Pollable =>
    new Pollable({ isReady: () => monotonicNs() >= instant, request: () => {}, readyAtNs: instant }, pump);
  return {
    "wasi:clocks/monotonic-clock": {
      now: monotonicNs,
      resolution: () => 1n,
      subscribeInstant: at,
      subscribeDuration: (duration: bigint) => at(monotonicNs() + duration),
    },
    "wasi:clocks/wall-clock": {
      now() {
        const now = wallNs();
        return { seconds: now / NS_PER_S, nanoseconds: Number(now % NS_PER_S) };
      },
      resolution: () => ({ seconds: 0n, nanoseconds: 1_000 }),
    },
  };
}

/** The interfaces of `wasi:random`; the insecure ones are secure as well. */
export function randomInterfaces(): Interfaces {
  const bytes = (length: bigint): Uint8Array => {
    if (length > RANDOM_MAX_BYTES)
      throw new Error(`asked for ${length} random bytes at once (at most ${RANDOM_MAX_BYTES})`);
    return new Uint8Array(randomBytes(Number(length)));
  };
  const number = (): bigint => randomBytes(8).readBigUInt64LE();
  return {
    "wasi:random/random": { getRandomBytes: bytes, getRandomU64: number },
    "wasi:random/insecure": { getInsecureRandomBytes: bytes, getInsecureRandomU64: number },
    "wasi:random/insecure-seed": { insecureSeed: () => [number(), number()] },
  };
}

function outputSink(channel: AgentChannel, stream: "stdout" | "stderr"): ByteSink {
  return { room: () => OUTPUT_ROOM_BYTES, request: () => {}, write: (bytes) => channel.writeOutput(stream, bytes) };
}

function bytesSource(bytes: Uint8Array): ConstructorParameters<typeof InputStream>[0] {
  let rest = bytes;
  return {
    isReady: () => true,
    request: () => {},
    take(maxBytes) {
      if (rest.length === 0) throw STREAM_CLOSED;
      const taken = rest.subarray(0, maxBytes);
      rest = rest.subarray(taken.length);
      return taken;
    },
  };
}
