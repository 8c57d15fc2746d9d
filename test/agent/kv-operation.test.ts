import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { kvCallFromOperation, kvResultFromAnswer } from "../../src/agent/kv-operation.ts";
import { Reason } from "../../src/fault.ts";
import { KvOperationSchema } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";

const value = new Uint8Array([1]);
const callOf = (operation: MessageInitShape<typeof KvOperationSchema>) =>
  kvCallFromOperation(create(KvOperationSchema, operation));

describe("key-value operations", () => {
  test("become calls on the default bucket unless they name one", () => {
    expect(callOf({ operation: { case: "get", value: { key: "k" } } })).toEqual({
      kind: "get",
      bucket: "default",
      key: "k",
    });
    expect(callOf({ bucket: "b", operation: { case: "delete", value: { key: "k" } } })).toEqual({
      kind: "delete",
      bucket: "b",
      key: "k",
    });
    expect(callOf({ operation: { case: "exists", value: { key: "k" } } })).toMatchObject({ kind: "exists" });
    expect(callOf({ operation: { case: "set", value: { key: "k", value } } })).toMatchObject({
      kind: "set",
      key: "k",
      value,
    });
    expect(callOf({ operation: { case: "listKeys", value: {} } })).toMatchObject({
      kind: "listKeys",
      cursor: undefined,
    });
    expect(callOf({ operation: { case: "listKeys", value: { cursor: "c" } } })).toMatchObject({ cursor: "c" });
    expect(callOf({ operation: { case: "increment", value: { key: "k", delta: -2n } } })).toMatchObject({
      kind: "increment",
      delta: -2n,
    });
    expect(callOf({ operation: { case: "getMany", value: { keys: ["a"] } } })).toMatchObject({
      kind: "getMany",
      keys: ["a"],
    });
    expect(callOf({ operation: { case: "deleteMany", value: { keys: ["a"] } } })).toMatchObject({
      kind: "deleteMany",
      keys: ["a"],
    });
    expect(callOf({ operation: { case: "setMany", value: { entries: [{ key: "a", value }] } } })).toMatchObject({
      kind: "setMany",
      entries: [["a", value]],
    });
    expect(callOf({ operation: { case: "compareAndSwap", value: { key: "k", value } } })).toEqual({
      kind: "compareAndSwap",
      bucket: "default",
      key: "k",
      expected: undefined,
      value,
    });
    expect(() => callOf({})).toThrow(expect.objectContaining({ reason: Reason.INVALID_REQUEST }));
  });

  test("are answered in the contract's form; a missing value stays missing", () => {
    expect(kvResultFromAnswer({ kind: "done" }).result.case).toBe("done");
    expect(kvResultFromAnswer({ kind: "value", value }).result).toMatchObject({ case: "value", value: { value } });
    expect(kvResultFromAnswer({ kind: "value", value: undefined }).result.value).not.toHaveProperty(
      "value",
      expect.anything(),
    );
    expect(kvResultFromAnswer({ kind: "exists", exists: true }).result).toEqual({ case: "exists", value: true });
    expect(kvResultFromAnswer({ kind: "sum", sum: 5n }).result).toEqual({ case: "sum", value: 5n });
    expect(kvResultFromAnswer({ kind: "page", page: { keys: ["a"], cursor: undefined } }).result).toMatchObject({
      value: { keys: ["a"], cursor: "" },
    });
    expect(kvResultFromAnswer({ kind: "swap", swap: { isSwapped: true } }).result).toMatchObject({
      case: "swap",
      value: { swapped: true },
    });
    expect(kvResultFromAnswer({ kind: "swap", swap: { isSwapped: false, current: value } }).result).toMatchObject({
      value: { swapped: false, current: value },
    });
    expect(kvResultFromAnswer({ kind: "values", values: [value, undefined] }).result).toMatchObject({
      case: "values",
      value: { values: [{ value }, {}] },
    });
  });
});
