/** `poll_oneoff` of preview 1: waits for time to pass, input to come, and room for output. */
import type { GivingWay } from "../host/giving-way.ts";
import type { GuestLine } from "../host/guest-line.ts";
import { RIGHT } from "./descriptor-rights.ts";
import { assertRight, type AnyDescriptor, type DescriptorTable } from "./descriptor-table.ts";
import { ERRNO, errnoFromCode, Preview1Error } from "./errno.ts";
import { fileErrorCodeOf } from "../files/file-error.ts";
import type { GuestMemory } from "./guest-memory.ts";

/** What polling needs. */
export type PollDeps = {
  readonly line: GuestLine;
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
  readonly givingWay: GivingWay;
};

/** Subscriptions of one call. */
export const SUBSCRIPTIONS_MAX = 4_096;

const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const EVENT_TYPE = { clock: 0, read: 1, write: 2 } as const;
const ABSOLUTE_TIME = 1;

/** What came of a subscription. */
type Outcome = { readonly errno: number; readonly bytes: bigint };

type Subscription = {
  readonly userdata: bigint;
  readonly type: number;
  /** `undefined`: not yet. */
  readonly outcome: () => Outcome | undefined;
  /** Settles, never rejects, when it may be worth asking again. */
  readonly wait: () => { readonly done: Promise<void>; cancel(): void };
};

/** Waits for the first of the subscriptions and writes an event for each that is due then. */
export function pollOneoff(
  deps: PollDeps,
  at: { readonly subscriptions: number; readonly events: number; readonly count: number; readonly result: number },
): number | Promise<number> {
  const { memory } = deps;
  const count = at.count >>> 0;
  if (count === 0 || count > SUBSCRIPTIONS_MAX) return ERRNO.inval;
  memory.assertRoom(at.events, count * EVENT_BYTES);
  memory.assertRoom(at.result, 4);
  memory.assertRoom(at.subscriptions, count * SUBSCRIPTION_BYTES);
  const subscriptions = Array.from({ length: count }, (_, index) =>
    readSubscription(deps, (at.subscriptions >>> 0) + index * SUBSCRIPTION_BYTES),
  );

  /** Writes what is due; `false` if nothing is. */
  function finish(): boolean {
    let written = 0;
    for (const { userdata, type, outcome } of subscriptions) {
      const came = outcome();
      if (came === undefined) continue;
      const event = (at.events >>> 0) + written * EVENT_BYTES;
      memory.bytes(event, EVENT_BYTES).fill(0);
      memory.setU64(event, userdata);
      memory.setU16(event + 8, came.errno);
      memory.setU8(event + 10, type);
      memory.setU64(event + 16, came.bytes);
      written++;
    }
    memory.setU32(at.result, written);
    return written > 0;
  }

  async function wait(): Promise<number> {
    do {
      const waits = subscriptions.map((subscription) => subscription.wait());
      await Promise.race(waits.map(({ done }) => done));
      for (const each of waits) each.cancel();
    } while (!finish());
    return ERRNO.success;
  }

  // One that asks in a loop whether it is time yet must let come in what it asks for.
  return finish() ? deps.givingWay(ERRNO.success) : wait();
}

function readSubscription(deps: PollDeps, at: number): Subscription {
  const { memory } = deps;
  const userdata = memory.u64(at);
  const type = memory.u8(at + 8);
  switch (type) {
    case EVENT_TYPE.clock:
      return { userdata, type, ...clockWait(deps, at) };
    case EVENT_TYPE.read:
    case EVENT_TYPE.write:
      return { userdata, type, ...descriptorWait(deps, memory.u32(at + 16), type) };
    default:
      throw new Preview1Error(ERRNO.inval);
  }
}

type Wait = Pick<Subscription, "outcome" | "wait">;

const settled: Wait["wait"] = () => ({ done: Promise.resolve(), cancel: () => undefined });

function failed(errno: number): Wait {
  return { outcome: () => ({ errno, bytes: 0n }), wait: settled };
}

function clockWait({ memory, line }: PollDeps, at: number): Wait {
  const clock = memory.u32(at + 16);
  const timeout = memory.u64(at + 24);
  const isAbsolute = (memory.u16(at + 40) & ABSOLUTE_TIME) !== 0;
  if (clock > 1) return failed(ERRNO.inval);
  const isWall = clock === 0 && isAbsolute;
  const now = (): bigint => (isWall ? line.wallNowNs() : line.monotonicNowNs());
  const due = isAbsolute ? timeout : now() + timeout;
  return {
    outcome: () => (now() >= due ? { errno: ERRNO.success, bytes: 0n } : undefined),
    wait: () => line.sleepUntil(line.monotonicNowNs() + (due - now())),
  };
}

function descriptorWait({ table, line }: PollDeps, fd: number, type: number): Wait {
  let descriptor: AnyDescriptor;
  try {
    descriptor = table.get(fd);
    assertRight(descriptor, RIGHT.pollFdReadwrite);
    if (descriptor.kind === "file") return { outcome: fileOutcome(descriptor, type), wait: settled };
  } catch (error) {
    if (error instanceof Preview1Error) return failed(error.errno);
    throw error;
  }
  if (descriptor.kind === "stdin") {
    if (type !== EVENT_TYPE.read) return failed(ERRNO.badf);
    return {
      // How much there is cannot be told before it is taken; there is something, or the end.
      outcome: () => (line.stdin.isReady() ? { errno: ERRNO.success, bytes: 1n } : undefined),
      wait: () => ({ done: line.stdin.whenReady(), cancel: () => undefined }),
    };
  }
  if (type !== EVENT_TYPE.write) return failed(ERRNO.badf);
  const sink = descriptor.kind === "stdout" ? line.stdout : line.stderr;
  return {
    outcome() {
      const room = sink.room();
      if (room === 0) return undefined;
      return room === undefined ? { errno: ERRNO.pipe, bytes: 0n } : { errno: ERRNO.success, bytes: BigInt(room) };
    },
    wait: () => ({ done: sink.whenRoom(), cancel: () => undefined }),
  };
}

/** Files are always ready. */
function fileOutcome({ file, offset }: Extract<AnyDescriptor, { kind: "file" }>, type: number): () => Outcome {
  return () => {
    if (type === EVENT_TYPE.write) return { errno: ERRNO.success, bytes: 1n };
    try {
      const left = file.size() - offset;
      return { errno: ERRNO.success, bytes: left > 0n ? left : 0n };
    } catch (error) {
      // The guest learns it as the event's error.
      return { errno: errnoFromCode(fileErrorCodeOf(error)), bytes: 0n };
    }
  };
}
