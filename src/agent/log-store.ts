/** What the instances of a node wrote: one bounded buffer each, bounded together. */
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";
import type { LogFiles } from "./log-files.ts";
import { createLogBuffer, type LogBuffer, type LogBufferLimits, type LogFollower } from "./log-buffer.ts";

/** What a log store is given. */
export type LogStoreDeps = {
  readonly clock: Clock;
  /** Where output outlives the agent; without it, it is in memory only. */
  readonly files?: LogFiles;
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
  /** Takes a structured log line of an instance; `context` is what the guest calls the part of it that speaks. */
  log(id: string, level: string, context: string, message: string): void;
  /** The buffer of an instance, empty if it has written nothing. */
  buffer(id: string): LogBuffer;
  /** Follows an instance; close the follower. Throws `TOO_MANY_REQUESTS`. */
  follow(id: string, afterSequence: number): LogFollower;
  /** Keeps up with the instance's life: a run that ended ends the last line, an instance that ended for good ends its followers. */
  note(record: InstanceRecord): void;
  /** Drops what an instance wrote. */
  drop(id: string): void;
  /** Drops what is kept on disk of instances that nobody knows any more. */
  dropUnknown(isKnown: (id: string) => boolean): void;
  /** Writes what waits for the disk, and ends all followers. May be called twice. */
  close(): void;
}

/** How long output may wait before it is written to disk; as much is lost when the agent is killed. */
const FLUSH_MS = 1_000;

/** A store of what `files` holds, or an empty one. */
export function createLogStore(deps: LogStoreDeps): LogStore {
  const endedMaxCharacters = deps.endedMaxCharacters ?? 32 * 1024 * 1024;
  const followersMax = deps.followersMax ?? 256;
  const buffers = new Map<string, LogBuffer>();
  /** Ids of instances that ended for good, in that order. */
  const ended = new Set<string>();
  /** The number of the last line of each buffer that is on disk. */
  const flushed = new Map<string, number>();
  let cancelFlush: (() => void) | undefined;
  let followers = 0;

  const bufferOf = (id: string): LogBuffer => {
    const known = buffers.get(id);
    if (known !== undefined) return known;
    const buffer = createLogBuffer(deps.limits);
    for (const line of deps.files?.read(id) ?? []) buffer.restore(line);
    flushed.set(id, buffer.lastSequence);
    buffers.set(id, buffer);
    return buffer;
  };

  /** Writes what came since the last time; of a flood, what the buffer still holds. */
  const flush = (): void => {
    cancelFlush?.();
    cancelFlush = undefined;
    for (const [id, buffer] of buffers) {
      const lines = buffer.lines({ afterSequence: flushed.get(id) ?? 0, lastLines: 0 });
      if (lines.length > 0) deps.files?.append(id, lines);
      flushed.set(id, buffer.lastSequence);
    }
  };

  const flushSoon = (): void => {
    if (deps.files !== undefined) cancelFlush ??= deps.clock.after(FLUSH_MS, flush);
  };

  const drop = (id: string): void => {
    buffers.get(id)?.end();
    buffers.delete(id);
    flushed.delete(id);
    ended.delete(id);
    deps.files?.remove(id);
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
    write(id, stream, bytes) {
      bufferOf(id).write(stream, bytes, deps.clock.nowMs());
      flushSoon();
    },
    log(id, level, context, message) {
      bufferOf(id).log(level, context === "" ? message : `${context}: ${message}`, deps.clock.nowMs());
      flushSoon();
    },
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
      flushSoon();
      if (!hasEnded(record)) return;
      bufferOf(record.id).end();
      ended.add(record.id);
      makeRoom();
    },
    drop,
    dropUnknown(isKnown) {
      for (const id of deps.files?.ids() ?? []) if (!isKnown(id)) drop(id);
    },
    close() {
      flush();
      for (const buffer of buffers.values()) buffer.end();
    },
  };
}
