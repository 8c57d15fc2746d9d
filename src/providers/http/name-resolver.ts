/** Names to addresses, with a short memory. */
import { lookup } from "node:dns/promises";
import type { Clock } from "../../clock.ts";
import type { HttpLimits } from "./http-limits.ts";

/** Gives the addresses of a name, best first; rejects if there are none. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** Asks the host's resolver, which also reads its hosts file. */
export const systemLookup: Lookup = async (name) => {
  const found = await lookup(name, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
};

/**
 * Remembers what `ask` said for `nameMaxAgeMs`, and asks once for all who want the same name at the same time. Failures are not
 * remembered. What it gives are addresses to be checked, each time anew.
 */
export function rememberingLookup(
  ask: Lookup,
  limits: Pick<HttpLimits, "nameMaxAgeMs" | "namesRememberedMax">,
  clock: Clock,
): Lookup {
  const known = new Map<string, { readonly answer: Promise<readonly string[]>; readonly untilMs: number }>();
  return (name) => {
    const entry = known.get(name);
    if (entry !== undefined && clock.steadyMs() < entry.untilMs) return entry.answer;
    const answer = ask(name);
    const fresh = { answer, untilMs: clock.steadyMs() + limits.nameMaxAgeMs };
    known.delete(name);
    // The oldest entry comes first in a map.
    for (const oldest of known.keys()) {
      if (known.size < limits.namesRememberedMax) break;
      known.delete(oldest);
    }
    known.set(name, fresh);
    answer.catch(() => {
      // Whoever asked gets the error; nobody after them should.
      if (known.get(name) === fresh) known.delete(name);
    });
    return answer;
  };
}
