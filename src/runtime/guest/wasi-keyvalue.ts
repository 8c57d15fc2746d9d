/** `wasi:keyvalue` 0.2.0-draft: every call goes to the agent, which checks it and carries it out. */
import type { KvAnswer, KvCall } from "../../providers/kv/kv.ts";
import { KvRefusal, type MessagePump } from "./message-pump.ts";

/** Variant `error` of `wasi:keyvalue/store`. */
type StoreError = { readonly tag: "access-denied" } | { readonly tag: "other"; readonly val: string };

type Answer<Kind extends KvAnswer["kind"]> = Extract<KvAnswer, { kind: Kind }>;

/** A guest may hold many buckets; providers take far shorter names. */
const BUCKET_NAME_MAX_CHARACTERS = 1024;

/** Cursors that a guest may keep at a time; older ones are forgotten. */
const CURSORS_MAX = 1024;

/** The three interfaces by their names without version. */
export function keyvalueInterfaces(pump: MessagePump): Record<string, Record<string, unknown>> {
  const cursors = createCursorTable();

  function ask<Kind extends KvAnswer["kind"]>(kind: Kind, call: KvCall): Answer<Kind> {
    try {
      const answer = pump.kv(call);
      if (isAnswer(answer, kind)) return answer;
    } catch (error) {
      if (!(error instanceof KvRefusal)) throw error;
      throw error.isDenied ? ({ tag: "access-denied" } satisfies StoreError) : storeError(error.message);
    }
    throw storeError(`the agent answered ${call.kind} with something else`);
  }

  /** Resource `bucket`. */
  class Bucket {
    readonly name: string;

    constructor(name: string) {
      this.name = name;
    }

    get(key: string): Uint8Array | undefined {
      return ask("value", { kind: "get", bucket: this.name, key }).value;
    }

    set(key: string, value: Uint8Array): void {
      ask("done", { kind: "set", bucket: this.name, key, value: value.slice() });
    }

    delete(key: string): void {
      ask("done", { kind: "delete", bucket: this.name, key });
    }

    exists(key: string): boolean {
      return ask("exists", { kind: "exists", bucket: this.name, key }).exists;
    }

    listKeys(cursorNumber: bigint | undefined): { keys: readonly string[]; cursor: bigint | undefined } {
      const cursor = cursorNumber === undefined ? undefined : cursors.get(cursorNumber);
      if (cursorNumber !== undefined && cursor === undefined) throw storeError(`cursor ${cursorNumber} is unknown`);
      const { page } = ask("page", { kind: "listKeys", bucket: this.name, cursor });
      return { keys: page.keys, cursor: page.cursor === undefined ? undefined : cursors.add(page.cursor) };
    }
  }

  return {
    "wasi:keyvalue/store": {
      Bucket,
      open(identifier: string) {
        if (identifier.length > BUCKET_NAME_MAX_CHARACTERS)
          throw storeError(`the bucket's name has ${identifier.length} characters`);
        ask("done", { kind: "open", bucket: identifier });
        return new Bucket(identifier);
      },
    },
    "wasi:keyvalue/atomics": {
      increment(bucket: Bucket, key: string, delta: bigint) {
        // The draft counts in u64, the provider in 64 signed bits: what does not fit is refused, never wrapped.
        if (delta >= 1n << 63n) throw storeError(`cannot add ${delta}, which has more than 63 bits`);
        const { sum } = ask("sum", { kind: "increment", bucket: bucket.name, key, delta });
        if (sum < 0n) throw storeError(`the sum is ${sum}, which is no u64`);
        return sum;
      },
    },
    "wasi:keyvalue/batch": {
      getMany(bucket: Bucket, keys: readonly string[]) {
        const { values } = ask("values", { kind: "getMany", bucket: bucket.name, keys });
        return values.map((value, index) => (value === undefined ? undefined : [keys[index] ?? "", value]));
      },
      setMany(bucket: Bucket, pairs: readonly (readonly [string, Uint8Array])[]) {
        const entries = pairs.map(([key, value]) => [key, value.slice()] as const);
        ask("done", { kind: "setMany", bucket: bucket.name, entries });
      },
      deleteMany(bucket: Bucket, keys: readonly string[]) {
        ask("done", { kind: "deleteMany", bucket: bucket.name, keys });
      },
    },
  };
}

function isAnswer<Kind extends KvAnswer["kind"]>(answer: KvAnswer, kind: Kind): answer is Answer<Kind> {
  return answer.kind === kind;
}

function storeError(message: string): StoreError {
  return { tag: "other", val: message };
}

/** The draft's cursors are numbers, the provider's are text. */
function createCursorTable(): { add(cursor: string): bigint; get(number: bigint): string | undefined } {
  const byNumber = new Map<bigint, string>();
  let last = 0n;
  return {
    add(cursor) {
      last += 1n;
      byNumber.set(last, cursor);
      byNumber.delete(last - BigInt(CURSORS_MAX));
      return last;
    },
    get: (number) => byNumber.get(number),
  };
}
