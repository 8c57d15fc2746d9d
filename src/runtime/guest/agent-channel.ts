/** The guest thread's side of the line to the agent: posting, and waiting without an event loop. */
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import { OUTPUT_WINDOW_BYTES, transferable, windowCost, type FromGuest, type ToGuest } from "../worker-protocol.ts";

/** Longest single wait of `sleepMs`; longer sleeps are made of several. */
const WAIT_MAX_MS = 2 ** 31 - 1;

/** News that the channel deals with by itself. */
type Absorbed = Extract<ToGuest, { kind: "outputTaken" }>;

/** What is left for the channel's owner. */
export type Received = Exclude<ToGuest, Absorbed>;

/** The line to the agent's thread. Every method may be used while guest code is on the stack. */
export interface AgentChannel {
  post(message: FromGuest): void;
  /** Blocks until the next message has come; `undefined` when the monotonic clock has reached `untilNs` before. */
  receive(untilNs?: bigint): Received | undefined;
  /** The next message, if one is there already. */
  poll(): Received | undefined;
  /** Calls `handler` for messages that come while the thread is idle. */
  onIdle(handler: (message: Received) => void): void;
  /** Blocks; ends early only when the thread is terminated. */
  sleepMs(durationMs: number): void;
  /** Posts output. Blocks while the agent is more than `OUTPUT_WINDOW_BYTES` behind. */
  writeOutput(stream: "stdout" | "stderr", bytes: Uint8Array): void;
}

/** Opens the line on the port and the wake counter that the agent's thread made. */
export function openAgentChannel(port: MessagePort, wake: SharedArrayBuffer): AgentChannel {
  const wakeCounter = new Int32Array(wake);
  const never = new Int32Array(new SharedArrayBuffer(4));
  /** Messages that came while this side waited for news of its output; they are received next. */
  const deferred: Received[] = [];
  let outputAheadBytes = 0;

  function take(): ToGuest | undefined {
    const received: { message: ToGuest } | undefined = receiveMessageOnPort(port);
    return received?.message;
  }

  function wait(untilNs?: bigint): ToGuest | undefined {
    for (;;) {
      const seen = Atomics.load(wakeCounter, 0);
      const message = take();
      if (message !== undefined) return message;
      const leftNs = untilNs === undefined ? undefined : untilNs - process.hrtime.bigint();
      if (leftNs !== undefined && leftNs <= 0n) return undefined;
      Atomics.wait(
        wakeCounter,
        0,
        seen,
        leftNs === undefined ? undefined : Math.min(Number(leftNs) / 1e6, WAIT_MAX_MS),
      );
    }
  }

  function isAbsorbed(message: ToGuest): message is Absorbed {
    if (message.kind !== "outputTaken") return false;
    outputAheadBytes -= message.bytes;
    return true;
  }

  const channel: AgentChannel = {
    post: (message) => port.postMessage(message, transferable(message)),
    receive(untilNs) {
      const first = deferred.shift();
      if (first !== undefined) return first;
      for (;;) {
        const message = wait(untilNs);
        if (message === undefined || !isAbsorbed(message)) return message;
      }
    },
    poll() {
      const first = deferred.shift();
      if (first !== undefined) return first;
      for (let message = take(); message !== undefined; message = take()) {
        if (!isAbsorbed(message)) return message;
      }
      return undefined;
    },
    onIdle(handler) {
      port.on("message", (message: ToGuest) => {
        if (!isAbsorbed(message)) handler(message);
      });
    },
    sleepMs(durationMs) {
      const until = performance.now() + durationMs;
      for (let left = durationMs; left > 0; left = until - performance.now()) {
        Atomics.wait(never, 0, 0, Math.min(left, WAIT_MAX_MS));
      }
    },
    writeOutput(stream, bytes) {
      for (let offset = 0; offset < bytes.length; offset += OUTPUT_WINDOW_BYTES) {
        const piece = new Uint8Array(bytes.subarray(offset, offset + OUTPUT_WINDOW_BYTES));
        while (outputAheadBytes > 0 && outputAheadBytes + windowCost(piece.length) > OUTPUT_WINDOW_BYTES) {
          const message = wait();
          if (message !== undefined && !isAbsorbed(message)) deferred.push(message);
        }
        outputAheadBytes += windowCost(piece.length);
        channel.post({ kind: "output", stream, bytes: piece });
      }
    },
  };
  return channel;
}
