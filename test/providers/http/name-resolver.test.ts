import { describe, expect, it, vi } from "vitest";
import { rememberingLookup, systemLookup } from "../../../src/providers/http/name-resolver.ts";
import { createVirtualClock } from "../../agent/virtual-clock.ts";

const limits = { nameMaxAgeMs: 1_000, namesRememberedMax: 2 };

describe("names", () => {
  it("are resolved as the host resolves them", async () => {
    expect(await systemLookup("localhost")).toEqual(
      expect.arrayContaining([expect.stringMatching(/^(?:127\.0\.0\.1|::1)$/)]),
    );
  });

  it("are remembered for a while, and asked for once by all who want them at a time", async () => {
    const clock = createVirtualClock();
    const ask = vi.fn(async (name: string) => [`${name}-address`]);
    const lookup = rememberingLookup(ask, limits, clock);
    expect(await Promise.all([lookup("a"), lookup("a")])).toEqual([["a-address"], ["a-address"]]);
    await clock.advance(999);
    await lookup("a");
    expect(ask).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await lookup("a");
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("are forgotten, the oldest first, when there are too many", async () => {
    const ask = vi.fn(async (name: string) => [name]);
    const lookup = rememberingLookup(ask, limits, createVirtualClock());
    for (const name of ["a", "b", "c", "c", "b"]) await lookup(name);
    expect(ask.mock.calls.flat()).toEqual(["a", "b", "c"]);
    await lookup("a");
    expect(ask.mock.calls.flat()).toEqual(["a", "b", "c", "a"]);
  });

  it("are asked for again after a failure", async () => {
    const ask = vi.fn(async (name: string) => [name]).mockRejectedValueOnce(new Error("no such name"));
    const lookup = rememberingLookup(ask, limits, createVirtualClock());
    await expect(lookup("a")).rejects.toThrow("no such name");
    expect(await lookup("a")).toEqual(["a"]);
  });
});
