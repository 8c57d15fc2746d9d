/** Remembers verdicts on key-value calls: they depend on the grants, the operation and the bucket alone, and guests repeat themselves. */
import { checkKvCall, type KvVerdict } from "../providers/kv/check-kv-call.ts";
import type { KvCall } from "../providers/kv/kv.ts";
import type { Grant } from "../providers/permissions.ts";

/** Of one list of grants; guests choose the buckets. */
const BUCKETS_MAX = 64;

/**
 * What `checkKvCall` says, remembered for as long as the list of grants is the same object: a change of an instance's grants is
 * always a new list, so a verdict never outlives what it was made of.
 */
export function createKvVerdicts(): (grants: readonly Grant[], call: KvCall) => KvVerdict {
  const byGrants = new WeakMap<readonly Grant[], Map<string, Map<KvCall["kind"], KvVerdict>>>();
  return (grants, call) => {
    let byBucket = byGrants.get(grants);
    if (byBucket === undefined) byGrants.set(grants, (byBucket = new Map()));
    let byKind = byBucket.get(call.bucket);
    const known = byKind?.get(call.kind);
    if (known !== undefined) return known;
    const verdict = checkKvCall(grants, call);
    if (byKind === undefined) {
      byKind = new Map();
      if (byBucket.size < BUCKETS_MAX) byBucket.set(call.bucket, byKind);
    }
    byKind.set(call.kind, verdict);
    return verdict;
  };
}
