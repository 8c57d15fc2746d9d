/** Finds the instances of a name on one node. Pure. */
import type { Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { ledgerValues, type Ledger } from "./ledger.ts";

/** The named instances of a ledger. Computed once for each ledger, which never changes: the gateway asks for each request. */
export function instancesByName(ledger: Ledger<Instance>): ReadonlyMap<string, readonly Instance[]> {
  const known = COMPUTED.get(ledger);
  if (known) return known;
  const byName = new Map<string, Instance[]>();
  for (const instance of ledgerValues(ledger)) {
    if (instance.name === "") continue;
    const named = byName.get(instance.name);
    if (named) named.push(instance);
    else byName.set(instance.name, [instance]);
  }
  COMPUTED.set(ledger, byName);
  return byName;
}

const COMPUTED = new WeakMap<Ledger<Instance>, ReadonlyMap<string, readonly Instance[]>>();
