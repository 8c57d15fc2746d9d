/** `poll_oneoff` of preview 1: sleeping, and asking whether standard streams are ready (they always are). */
import { ERRNO } from "./preview1-errno.ts";
import type { GuestMemory, Preview1Options } from "./preview1.ts";

const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const SUBSCRIPTIONS_MAX = 4096;
const EVENT_TYPE = { clock: 0, fdRead: 1, fdWrite: 2 } as const;
const ABSOLUTE_TIME = 1;

type Subscription = {
  readonly userdata: bigint;
  readonly type: number;
  readonly errno: number;
  readonly waitNs: bigint;
};

/** Reads the subscriptions, waits for the first one, and writes one event for each that is then due. */
export function pollOneoff(
  memory: GuestMemory,
  options: Pick<Preview1Options, "clocks" | "sleepMs" | "stdin">,
  at: { readonly subscriptions: number; readonly events: number; readonly count: number; readonly result: number },
): number {
  if (at.count === 0 || at.count > SUBSCRIPTIONS_MAX) return ERRNO.inval;
  const subscriptions = Array.from({ length: at.count }, (_, index) =>
    readSubscription(memory, options, at.subscriptions + index * SUBSCRIPTION_BYTES),
  );
  const waitNs = subscriptions.reduce((least, { waitNs: own }) => (own < least ? own : least), 1n << 64n);
  if (waitNs > 0n) options.sleepMs(Number(waitNs) / 1e6);
  const due = subscriptions.filter((subscription) => subscription.waitNs <= waitNs);
  for (const [index, event] of due.entries()) {
    const start = at.events + index * EVENT_BYTES;
    const readyBytes = event.type === EVENT_TYPE.fdRead ? BigInt(options.stdin.length) : 0n;
    // The last field first, so that an address outside the memory throws before anything is written.
    memory.view.setBigUint64(start + 24, 0n, true);
    memory.view.setBigUint64(start, event.userdata, true);
    memory.view.setUint16(start + 8, event.errno, true);
    memory.view.setUint8(start + 10, event.type);
    memory.view.setBigUint64(start + 16, readyBytes, true);
  }
  memory.view.setUint32(at.result, due.length, true);
  return ERRNO.success;
}

function readSubscription(
  memory: GuestMemory,
  { clocks }: Pick<Preview1Options, "clocks">,
  start: number,
): Subscription {
  const { view } = memory;
  const userdata = view.getBigUint64(start, true);
  const type = view.getUint8(start + 8);
  if (type === EVENT_TYPE.clock) {
    const clock = view.getUint32(start + 16, true);
    const timeout = view.getBigUint64(start + 24, true);
    const isAbsolute = (view.getUint16(start + 40, true) & ABSOLUTE_TIME) !== 0;
    if (clock > 1) return { userdata, type, errno: ERRNO.inval, waitNs: 0n };
    const now = clock === 0 ? clocks.wallNs() : clocks.monotonicNs();
    const left = isAbsolute ? timeout - now : timeout;
    return { userdata, type, errno: ERRNO.success, waitNs: left > 0n ? left : 0n };
  }
  const fd = view.getUint32(start + 16, true);
  const isStream = (type === EVENT_TYPE.fdRead && fd === 0) || (type === EVENT_TYPE.fdWrite && (fd === 1 || fd === 2));
  return { userdata, type, errno: isStream ? ERRNO.success : ERRNO.badf, waitNs: 0n };
}
