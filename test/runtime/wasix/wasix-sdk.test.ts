import { afterAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { startWasixGuest } from "../../../src/runtime/wasix/wasix-guest.ts";
import { WASIX_FUNCTIONS } from "../../../src/runtime/wasix/wasix-imports.ts";
import type { Guest } from "../../../src/runtime/runtime.ts";
import { guestStart } from "../guest-starts.ts";
import { wasixFromWat } from "./wasix-programs.ts";

const guests: Guest[] = [];
afterAll(() => Promise.all(guests.map((guest) => guest.kill())));

describe("the SDK that is installed", () => {
  it("provides every function that a WASIX program is let import", async () => {
    const imports = WASIX_FUNCTIONS.map((name) => `(import "wasix_32v1" "${name}" (func))`).join("\n");
    const module = wasixFromWat(`(module ${imports} (memory (export "memory") 1) (func (export "_start")))`);
    const guest = await startWasixGuest(guestStart(module), module, { clock: systemClock });
    guests.push(guest);
    // 45 is what it answers for a program that cannot begin.
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
  });
});
