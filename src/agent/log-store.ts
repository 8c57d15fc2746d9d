/** What the instances of a node wrote: one bounded buffer each. */
import type { Clock } from "../clock.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";
import { createLogBuffer, type LogBuffer, type LogBufferLimits } from "./log-buffer.ts";

/** See the top of the file. */
export interface LogStore {
  /** Takes output of an instance as it is written. */
  write(id: string, stream: "stdout" | "stderr", bytes: Uint8Array): void;
  /** The buffer of an instance, empty if it has written nothing. */
  buffer(id: string): LogBuffer;
  /** Follows the instance's life: a run that ended ends the last line, an instance that ended for good ends its followers. */
  note(record: InstanceRecord): void;
  /** Drops what an instance wrote. */
  drop(id: string): void;
  /** Ends all followers. May be called twice. */
  close(): void;
}

/** An empty store. */
export function createLogStore(deps: { readonly clock: Clock; readonly limits?: LogBufferLimits }): LogStore {
  const buffers = new Map<string, LogBuffer>();

  const bufferOf = (id: string): LogBuffer => {
    const known = buffers.get(id);
    if (known !== undefined) return known;
    const buffer = createLogBuffer(deps.limits);
    buffers.set(id, buffer);
    return buffer;
  };

  return {
    write: (id, stream, bytes) => bufferOf(id).write(stream, bytes, deps.clock.nowMs()),
    buffer: bufferOf,
    note(record) {
      if (record.state === "backoff" || hasEnded(record)) bufferOf(record.id).endRun(deps.clock.nowMs());
      if (hasEnded(record)) bufferOf(record.id).end();
    },
    drop(id) {
      buffers.get(id)?.end();
      buffers.delete(id);
    },
    close() {
      for (const buffer of buffers.values()) buffer.end();
    },
  };
}
