import { describe, expect, it } from "vitest";
import { eachWithin, within } from "../../src/rpc/deadline.ts";
import { fault, Reason } from "../../src/fault.ts";
import { createManualClock } from "../cp/manual-clock.ts";
import { reasonOf } from "../cp/test-fleet.ts";

const late = (): ReturnType<typeof fault> => fault(Reason.CALL_TIMED_OUT, "Cannot wait any longer");
const never = new Promise<never>(() => undefined);

describe("a wait with a deadline", () => {
  it("answers what comes in time, and leaves no timer behind", async () => {
    const clock = createManualClock();
    expect(await within(clock, 100, Promise.resolve("here"), late)).toBe("here");
    clock.advance(1_000);
  });

  it("ends at the deadline, not before", async () => {
    const clock = createManualClock();
    let ended = false;
    const waiting = within(clock, 100, never, late).finally(() => (ended = true));
    clock.advance(99);
    await Promise.resolve();
    expect(ended).toBe(false);
    clock.advance(1);
    expect(await reasonOf(waiting)).toBe(Reason.CALL_TIMED_OUT);
  });
});

describe("a stream whose items have a deadline each", () => {
  async function* numbers(state: { ended: boolean }, last?: Promise<never>): AsyncGenerator<number> {
    try {
      yield 1;
      yield 2;
      if (last) await last;
    } finally {
      state.ended = true;
    }
  }

  it("passes all items on and ends with its source", async () => {
    const state = { ended: false };
    const seen: number[] = [];
    for await (const each of eachWithin(createManualClock(), 100, numbers(state), late)) seen.push(each);
    expect([seen, state.ended]).toEqual([[1, 2], true]);
  });

  it("ends its source when its reader has enough", async () => {
    const state = { ended: false };
    for await (const each of eachWithin(createManualClock(), 100, numbers(state), late)) if (each === 1) break;
    expect(state.ended).toBe(true);
  });

  it("fails when the next item does not come in time", async () => {
    const clock = createManualClock();
    const reading = (async () => {
      for await (const each of eachWithin(clock, 100, numbers({ ended: false }, never), late)) {
        if (each === 2) setImmediate(() => clock.advance(100));
      }
    })();
    expect(await reasonOf(reading)).toBe(Reason.CALL_TIMED_OUT);
  });
});
