/** What the instances of a node wrote: one bounded buffer each, bounded together. */
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";
import { createLogBuffer, type LogBuffer, type LogBufferLimits, type LogFollower } from "./log-buffer.ts";

/** What a log store is given. */
export type LogStoreDeps = {
  readonly clock: Clock;
  /** Of each buffer. Default `LOG_BUFFER_LIMITS`. */
  readonly limits?: LogBufferLimits;
  /** Length in UTF-16 units of what ended instances wrote, all together; the one that ended first is dropped first. Default 32 Mi. */
  readonly endedMaxCharacters?: number;
  /** Followers at once, over all instances. Default 256. */
  readonly followersMax?: number;
};

/** See the top of the file. */
export interface LogStore {
  /** Takes output of an instance as it is written. */
  write(id: string, stream: "stdout" | "stderr", bytes: Uint8Array): void;
  /** The buffer of an instance, empty if it has written nothing. */
  buffer(id: string): LogBuffer;
  /** Follows an instance; close the follower. Throws `TOO_MANY_REQUESTS`. */
  follow(id: string, afterSequence: number): LogFollower;
  /** Keeps up with the instance's life: a run that ended ends the last line, an instance that ended for good ends its followers. */
  note(record: InstanceRecord): void;
  /** Drops what an instance wrote. */
  drop(id: string): void;
  /** Ends all followers. May be called twice. */
  close(): void;
}

/** An empty store. */
export function createLogStore(deps: LogStoreDeps): LogStore {
  const endedMaxCharacters = deps.endedMaxCharacters ?? 32 * 1024 * 1024;
  const followersMax = deps.followersMax ?? 256;
  const buffers = new Map<string, LogBuffer>();
  /** Ids of instances that ended for good, in that order. */
  const ended = new Set<string>();
  let followers = 0;

  const bufferOf = (id: string): LogBuffer => {
    const known = buffers.get(id);
    if (known !== undefined) return known;
    const buffer = createLogBuffer(deps.limits);
    buffers.set(id, buffer);
    return buffer;
  };

  const drop = (id: string): void => {
    buffers.get(id)?.end();
    buffers.delete(id);
    ended.delete(id);
  };

  const makeRoom = (): void => {
    let characters = 0;
    for (const id of ended) characters += buffers.get(id)?.characters ?? 0;
    for (const id of ended) {
      if (characters <= endedMaxCharacters) return;
      characters -= buffers.get(id)?.characters ?? 0;
      drop(id);
    }
  };

  return {
    write: (id, stream, bytes) => bufferOf(id).write(stream, bytes, deps.clock.nowMs()),
    buffer: bufferOf,
    follow(id, afterSequence) {
      if (followers >= followersMax) {
        throw fault(
          Reason.TOO_MANY_REQUESTS,
          `Cannot follow instance "${id}": ${followersMax} others are followed here`,
          {
            subject: id,
          },
        );
      }
      const follower = bufferOf(id).follow(afterSequence);
      followers += 1;
      let isOpen = true;
      return {
        next: () => follower.next(),
        close() {
          follower.close();
          if (isOpen) followers -= 1;
          isOpen = false;
        },
      };
    },
    note(record) {
      if (record.state === "backoff" || hasEnded(record)) bufferOf(record.id).endRun(deps.clock.nowMs());
      if (!hasEnded(record)) return;
      bufferOf(record.id).end();
      ended.add(record.id);
      makeRoom();
    },
    drop,
    close() {
      for (const buffer of buffers.values()) buffer.end();
    },
  };
}
