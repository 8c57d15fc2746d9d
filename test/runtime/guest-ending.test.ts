import { describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import { faultFromEnding, faultFromStart } from "../../src/runtime/guest-ending.ts";
import type { Ending } from "../../src/runtime/runtime.ts";
import { WIDE_LIMITS } from "./guest-starts.ts";

const ENDINGS: readonly (readonly [Ending, duringCall: Reason, duringStart: Reason])[] = [
  [{ kind: "exited", exitCode: 2 }, Reason.GUEST_TRAPPED, Reason.GUEST_TRAPPED],
  [{ kind: "trapped", message: "unreachable" }, Reason.GUEST_TRAPPED, Reason.GUEST_TRAPPED],
  [{ kind: "limit", limit: "callTimeoutMs", message: "ran too long" }, Reason.CALL_TIMED_OUT, Reason.GUEST_TRAPPED],
  [{ kind: "limit", limit: "startTimeoutMs", message: "ran too long" }, Reason.GUEST_TRAPPED, Reason.START_TIMED_OUT],
  [{ kind: "limit", limit: "memoryMaxBytes", message: "used too much" }, Reason.GUEST_TRAPPED, Reason.GUEST_TRAPPED],
  [{ kind: "stopped" }, Reason.INSTANCE_NOT_RUNNING, Reason.SHUTTING_DOWN],
  [{ kind: "host-failed", message: "the thread went away" }, Reason.INTERNAL, Reason.INTERNAL],
];

describe("an ending", () => {
  it.each(ENDINGS)(
    "%j is told to who waits for a call, and to who waits for the start",
    (ending, duringCall, duringStart) => {
      expect(faultFromEnding("a1", ending)).toMatchObject({
        reason: duringCall,
        subject: "a1",
        message: expect.stringMatching(/^Cannot .+"a1": /),
      });
      expect(faultFromStart("a1", ending, WIDE_LIMITS)).toMatchObject({
        reason: duringStart,
        message: expect.stringMatching(/^Cannot start instance "a1": /),
      });
    },
  );
});
