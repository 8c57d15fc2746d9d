/** Carries out an operation that came as data. */
import type { KvAnswer, KvCall, KvProvider } from "./kv.ts";

/** Runs `call` on `provider`; its answer's kind follows from the call's. Throws what the operation throws. */
export async function runKvCall(provider: KvProvider, call: KvCall): Promise<KvAnswer> {
  const { bucket } = call;
  switch (call.kind) {
    case "open":
      await provider.open(bucket);
      return { kind: "done" };
    case "get":
      return { kind: "value", value: await provider.get(bucket, call.key) };
    case "set":
      await provider.set(bucket, call.key, call.value);
      return { kind: "done" };
    case "delete":
      await provider.delete(bucket, call.key);
      return { kind: "done" };
    case "exists":
      return { kind: "exists", exists: await provider.exists(bucket, call.key) };
    case "listKeys":
      return { kind: "page", page: await provider.listKeys(bucket, call.cursor) };
    case "increment":
      return { kind: "sum", sum: await provider.increment(bucket, call.key, call.delta) };
    case "compareAndSwap":
      return { kind: "swap", swap: await provider.compareAndSwap(bucket, call.key, call.expected, call.value) };
    case "getMany":
      return { kind: "values", values: await provider.getMany(bucket, call.keys) };
    case "setMany":
      await provider.setMany(bucket, call.entries);
      return { kind: "done" };
    case "deleteMany":
      await provider.deleteMany(bucket, call.keys);
      return { kind: "done" };
    // No default: a new kind of call does not compile until it is carried out here.
  }
}
