/** Finds the one instance that a caller means by an id, the beginning of an id, or a name. Pure. */
import { fault, Reason } from "../fault.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import { hasEnded } from "./instance-life.ts";

/** What of an instance is looked at. */
export type Selectable = Pick<HeldInstance, "id" | "name" | "state" | "createdMs">;

/** How many of the instances that fit are named in an error. */
const CANDIDATES_NAMED_MAX = 5;

/**
 * A whole id wins over a name, a name over a prefix. Of the instances of a name the live one is meant; if none is
 * live, the one that was created last. Throws `INSTANCE_NOT_FOUND`, or `INSTANCE_AMBIGUOUS` if several fit.
 * `doing` begins the error's sentence: `Cannot stop instance`.
 */
export function selectInstance<T extends Selectable>(instances: Iterable<T>, selector: string, doing: string): T {
  const named: T[] = [];
  const prefixed: T[] = [];
  for (const instance of instances) {
    if (instance.id === selector) return instance;
    if (instance.name === selector) named.push(instance);
    if (instance.id.startsWith(selector)) prefixed.push(instance);
  }
  const live = named.filter((instance) => !hasEnded(instance));
  if (live.length > 1) throw ambiguous(live, selector, doing, "live instances have this name");
  const found = live[0] ?? newest(named);
  if (found) return found;
  if (prefixed.length > 1) throw ambiguous(prefixed, selector, doing, "instances have an id that begins so");
  if (prefixed[0]) return prefixed[0];
  throw fault(Reason.INSTANCE_NOT_FOUND, `${doing} "${selector}": no instance has this id, prefix of an id, or name`, {
    subject: selector,
  });
}

function newest<T extends Selectable>(instances: readonly T[]): T | undefined {
  return instances.toSorted((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1))[0];
}

function ambiguous(fitting: readonly Selectable[], selector: string, doing: string, what: string): Error {
  const ids = fitting
    .map((instance) =>
      instance.name === "" || instance.name === selector ? instance.id : `${instance.id} (${instance.name})`,
    )
    .sort();
  const named = ids.slice(0, CANDIDATES_NAMED_MAX).join(", ");
  const more = ids.length > CANDIDATES_NAMED_MAX ? ` and ${ids.length - CANDIDATES_NAMED_MAX} more` : "";
  return fault(Reason.INSTANCE_AMBIGUOUS, `${doing} "${selector}": ${ids.length} ${what}: ${named}${more}`, {
    subject: selector,
  });
}
