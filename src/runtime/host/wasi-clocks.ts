/** The interfaces of `wasi:clocks`. */
import type { HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";
import { Pollable } from "./pollable.ts";
import { Readiness } from "./readiness.ts";

const NS_PER_S = 1_000_000_000n;
const MAX_INSTANT_NS = 2n ** 64n - 1n;

/** `monotonic-clock`, `wall-clock` and `timezone`: guests live in UTC, as the host's place is none of their business. */
export function clockInterfaces(line: GuestLine): HostInterfaces {
  const duration = (ns: bigint): Pollable => {
    const instant = line.monotonicNowNs() + ns;
    return timer(line, instant > MAX_INSTANT_NS ? MAX_INSTANT_NS : instant);
  };
  return {
    "wasi:clocks/monotonic-clock": {
      functions: {
        now: () => line.monotonicNowNs(),
        resolution: () => 1n,
        "subscribe-instant": (instant: bigint) => timer(line, instant),
        "subscribe-duration": duration,
      },
    },
    "wasi:clocks/wall-clock": {
      functions: {
        now: () => datetimeFromNs(line.wallNowNs()),
        resolution: () => ({ seconds: 0n, nanoseconds: 1_000 }),
      },
    },
    "wasi:clocks/timezone": {
      functions: {
        display: () => ({ "utc-offset": 0, name: "UTC", "in-daylight-saving-time": false }),
        "utc-offset": () => 0,
      },
    },
  };
}

/** Record `datetime`. */
export type Datetime = { readonly seconds: bigint; readonly nanoseconds: number };

/** Time since 1970 as a `datetime`, which knows no earlier time. */
export function datetimeFromNs(ns: bigint): Datetime {
  if (ns < 0n) return { seconds: 0n, nanoseconds: 0 };
  return { seconds: ns / NS_PER_S, nanoseconds: Number(ns % NS_PER_S) };
}

/** A pollable that sleeps only while somebody waits for it, and not after the guest has dropped it. */
function timer(line: GuestLine, instantNs: bigint): Pollable {
  let sleep: ReturnType<GuestLine["sleepUntil"]> | undefined;
  const readiness = new Readiness({
    isReady: () => line.monotonicNowNs() >= instantNs,
    whenReady() {
      sleep?.cancel();
      sleep = line.sleepUntil(instantNs);
      return sleep.done;
    },
  });
  return new Pollable(readiness, () => sleep?.cancel());
}
