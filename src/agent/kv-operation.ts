/** Key-value operations in the contract and in the provider. Pure. */
import { create } from "@bufbuild/protobuf";
import { fault, Reason } from "../fault.ts";
import { KvResultSchema, type KvOperation, type KvResult } from "../gen/wasmatrix/v1/node_agent_pb.ts";
import type { KvAnswer, KvCall, KvSwap } from "../providers/kv/kv.ts";
import { DEFAULT_BUCKET } from "./assignments.ts";

/** The call that an operation stands for; throws `INVALID_REQUEST` for one that is newer than this program. */
export function kvCallFromOperation(message: KvOperation): KvCall {
  const bucket = message.bucket || DEFAULT_BUCKET;
  const { operation } = message;
  switch (operation.case) {
    case "get":
    case "delete":
    case "exists":
      return { kind: operation.case, bucket, key: operation.value.key };
    case "set":
      return { kind: "set", bucket, key: operation.value.key, value: operation.value.value };
    case "listKeys":
      return { kind: "listKeys", bucket, cursor: operation.value.cursor || undefined };
    case "increment":
      return { kind: "increment", bucket, key: operation.value.key, delta: operation.value.delta };
    case "compareAndSwap": {
      const { key, expected, value } = operation.value;
      return { kind: "compareAndSwap", bucket, key, expected, value };
    }
    case "getMany":
    case "deleteMany":
      return { kind: operation.case, bucket, keys: operation.value.keys };
    case "setMany":
      return {
        kind: "setMany",
        bucket,
        entries: operation.value.entries.map(({ key, value }) => [key, value] as const),
      };
    case undefined:
      throw fault(Reason.INVALID_REQUEST, "Cannot carry out key-value operation: none that this agent knows is named", {
        subject: "kv",
      });
  }
}

/** The contract's form of an answer. */
export function kvResultFromAnswer(answer: KvAnswer): KvResult {
  switch (answer.kind) {
    case "done":
      return create(KvResultSchema, { result: { case: "done", value: {} } });
    case "value":
      return create(KvResultSchema, { result: { case: "value", value: valueInit(answer.value) } });
    case "exists":
      return create(KvResultSchema, { result: { case: "exists", value: answer.exists } });
    case "page":
      return create(KvResultSchema, {
        result: { case: "page", value: { keys: [...answer.page.keys], cursor: answer.page.cursor ?? "" } },
      });
    case "sum":
      return create(KvResultSchema, { result: { case: "sum", value: answer.sum } });
    case "swap":
      return create(KvResultSchema, { result: { case: "swap", value: swapInit(answer.swap) } });
    case "values":
      return create(KvResultSchema, { result: { case: "values", value: { values: answer.values.map(valueInit) } } });
  }
}

function swapInit(swap: KvSwap): { swapped: boolean; current?: Uint8Array } {
  if (swap.isSwapped || swap.current === undefined) return { swapped: swap.isSwapped };
  return { swapped: false, current: swap.current };
}

function valueInit(value: Uint8Array | undefined): { value?: Uint8Array } {
  return value === undefined ? {} : { value };
}
