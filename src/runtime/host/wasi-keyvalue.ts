/**
 * `wasi:keyvalue`: every call goes to the agent, which checks it and carries it out. Two drafts are in use, under the
 * same interface names: 0.2.0-draft counts in `u64` and has numbers for cursors; 0.2.0-draft2 counts in `s64`, has text for
 * cursors, and compare-and-swap.
 */
import type { HostFunction, HostInterface, HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";
import { askKv, otherError, type Stored, type StoreError } from "./kv-asking.ts";
import { createCursorTable } from "./kv-cursor-table.ts";
import { DONE, err, ok, whenThere, type WitResult } from "./wit-result.ts";

/** The version of the interfaces that have compare-and-swap. */
export const KEYVALUE_DRAFT2 = "0.2.0-draft2";

/** How `get-many` says that a key has no value: draft2 is out with both shapes. */
export type GetManyShape =
  /** `list<option<tuple<string, list<u8>>>>` */
  | "option-of-pair"
  /** `list<tuple<string, option<list<u8>>>>` */
  | "pair-of-option";

/** A guest may hold many buckets; providers take far shorter names. */
const BUCKET_NAME_MAX_CHARACTERS = 1024;

/** Resource `bucket`. */
type Bucket = { readonly name: string };

/** Resource `cas`: what a key held when the guest looked. */
type Cas = { readonly bucket: string; readonly key: string; readonly current: Uint8Array | undefined };

/** Variant `cas-error`. */
type CasError =
  | { readonly tag: "store-error"; readonly val: StoreError }
  | { readonly tag: "cas-failed"; readonly val: Cas };

/** `store`, `atomics` and `batch` of both drafts: those of draft2 under names with their version. */
export function keyvalueInterfaces(line: GuestLine, draft2GetMany: GetManyShape): HostInterfaces {
  return {
    "wasi:keyvalue/store": storeInterface(line, numberedCursors(line)),
    "wasi:keyvalue/atomics": draftAtomics(line),
    "wasi:keyvalue/batch": batchInterface(line, "option-of-pair"),
    [`wasi:keyvalue/store@${KEYVALUE_DRAFT2}`]: storeInterface(line, (bucket, cursor: string | undefined) =>
      listKeys(line, bucket, cursor, (next) => next),
    ),
    [`wasi:keyvalue/atomics@${KEYVALUE_DRAFT2}`]: draft2Atomics(line),
    [`wasi:keyvalue/batch@${KEYVALUE_DRAFT2}`]: batchInterface(line, draft2GetMany),
  };
}

function storeInterface(line: GuestLine, list: HostFunction): HostInterface {
  return {
    functions: {
      open(identifier: string): Stored<Bucket> {
        if (identifier.length > BUCKET_NAME_MAX_CHARACTERS)
          return otherError(`the bucket's name has ${identifier.length} characters`);
        return askKv(line, "done", { kind: "open", bucket: identifier }, () => ok({ name: identifier }));
      },
      "[method]bucket.get": ({ name }: Bucket, key: string) =>
        askKv(line, "value", { kind: "get", bucket: name, key }, ({ value }) => ok(value)),
      "[method]bucket.set": ({ name }: Bucket, key: string, value: Uint8Array) =>
        askKv(line, "done", { kind: "set", bucket: name, key, value }, () => DONE),
      "[method]bucket.delete": ({ name }: Bucket, key: string) =>
        askKv(line, "done", { kind: "delete", bucket: name, key }, () => DONE),
      "[method]bucket.exists": ({ name }: Bucket, key: string) =>
        askKv(line, "exists", { kind: "exists", bucket: name, key }, ({ exists }) => ok(exists)),
      "[method]bucket.list-keys": list,
    },
    suspending: [
      "open",
      "[method]bucket.get",
      "[method]bucket.set",
      "[method]bucket.delete",
      "[method]bucket.exists",
      "[method]bucket.list-keys",
    ],
    resources: { bucket: {} },
  };
}

function listKeys<Cursor>(
  line: GuestLine,
  bucket: Bucket,
  cursor: string | undefined,
  cursorFrom: (text: string) => Cursor,
): Stored<{ keys: readonly string[]; cursor: Cursor | undefined }> {
  return askKv(line, "page", { kind: "listKeys", bucket: bucket.name, cursor }, ({ page }) =>
    ok({ keys: page.keys, cursor: page.cursor === undefined ? undefined : cursorFrom(page.cursor) }),
  );
}

function numberedCursors(line: GuestLine): (bucket: Bucket, cursor: bigint | undefined) => Stored<unknown> {
  const cursors = createCursorTable();
  return (bucket, number) => {
    const cursor = number === undefined ? undefined : cursors.get(number);
    if (number !== undefined && cursor === undefined) return otherError(`cursor ${number} is unknown`);
    return listKeys(line, bucket, cursor, (next) => cursors.add(next));
  };
}

function draftAtomics(line: GuestLine): HostInterface {
  return {
    functions: {
      increment(bucket: Bucket, key: string, delta: bigint): Stored<bigint> {
        // The draft counts in u64, the provider in 64 signed bits: what does not fit is refused, never wrapped.
        if (delta >= 1n << 63n) return otherError(`cannot add ${delta}, which has more than 63 bits`);
        return askKv(line, "sum", { kind: "increment", bucket: bucket.name, key, delta }, ({ sum }) =>
          sum < 0n ? otherError(`the sum is ${sum}, which is no u64`) : ok(sum),
        );
      },
    },
    suspending: ["increment"],
  };
}

function draft2Atomics(line: GuestLine): HostInterface {
  return {
    functions: {
      increment: (bucket: Bucket, key: string, delta: bigint) =>
        askKv(line, "sum", { kind: "increment", bucket: bucket.name, key, delta }, ({ sum }) => ok(sum)),
      "[static]cas.new": ({ name }: Bucket, key: string): Stored<Cas> =>
        askKv(line, "value", { kind: "get", bucket: name, key }, ({ value }) =>
          ok({ bucket: name, key, current: value }),
        ),
      "[method]cas.current": ({ current }: Cas) => ok(current),
      swap: (cas: Cas, value: Uint8Array) => swap(line, cas, value),
    },
    suspending: ["increment", "[static]cas.new", "swap"],
    resources: { cas: {} },
  };
}

function swap(
  line: GuestLine,
  { bucket, key, current }: Cas,
  value: Uint8Array,
): WitResult<undefined, CasError> | Promise<WitResult<undefined, CasError>> {
  const asked = askKv(line, "swap", { kind: "compareAndSwap", bucket, key, expected: current, value }, (answer) =>
    ok(answer.swap),
  );
  return whenThere(asked, (swapped): WitResult<undefined, CasError> => {
    if (swapped.tag === "err") return err({ tag: "store-error", val: swapped.val });
    if (swapped.val.isSwapped) return DONE;
    return err({ tag: "cas-failed", val: { bucket, key, current: swapped.val.current } });
  });
}

function batchInterface(line: GuestLine, shape: GetManyShape): HostInterface {
  const getMany: HostFunction = ({ name }: Bucket, keys: readonly string[]) =>
    askKv(line, "values", { kind: "getMany", bucket: name, keys }, ({ values }) =>
      ok(
        values.map((value, index) =>
          value === undefined && shape === "option-of-pair" ? undefined : [keys[index], value],
        ),
      ),
    );
  return {
    functions: {
      "get-many": getMany,
      "set-many": ({ name }: Bucket, entries: readonly (readonly [string, Uint8Array])[]) =>
        askKv(line, "done", { kind: "setMany", bucket: name, entries }, () => DONE),
      "delete-many": ({ name }: Bucket, keys: readonly string[]) =>
        askKv(line, "done", { kind: "deleteMany", bucket: name, keys }, () => DONE),
    },
    suspending: ["get-many", "set-many", "delete-many"],
  };
}
