/** Key-value functions of the core import ABI. */
import type { KvAnswer, KvCall } from "../../providers/kv/kv.ts";
import { numberBytes } from "./abi-call.ts";
import { AbiError } from "./abi-error.ts";
import { answered, giveResult, joined, utf8, type AbiFunction, type AbiState } from "./abi-state.ts";

/** By the names of `CORE_ABI_SIGNATURES`. */
export const KV_FUNCTIONS: Readonly<Record<string, AbiFunction>> = {
  async kv_get(state, call) {
    const [bucket, key, out] = [call.text(), call.text(), call.out()];
    const { value } = await ask(state, { kind: "get", bucket, key }, "value");
    if (value === undefined) throw new AbiError("none", `There is no key "${key}" in bucket "${bucket}"`);
    return giveResult(state, out, value);
  },
  async kv_set(state, call) {
    await ask(state, { kind: "set", bucket: call.text(), key: call.text(), value: call.bytes() }, "done");
    return 0;
  },
  async kv_delete(state, call) {
    await ask(state, { kind: "delete", bucket: call.text(), key: call.text() }, "done");
    return 0;
  },
  async kv_exists(state, call) {
    const { exists } = await ask(state, { kind: "exists", bucket: call.text(), key: call.text() }, "exists");
    return Number(exists);
  },
  async kv_increment(state, call) {
    const [bucket, key, delta, sumRoom] = [call.text(), call.text(), call.i64(), call.address(8)];
    const { sum } = await ask(state, { kind: "increment", bucket, key, delta }, "sum");
    state.memory.write(sumRoom, numberBytes(sum, 8));
    return 0;
  },
  async kv_compare_and_swap(state, call) {
    const [bucket, key, given, isExpected, value] = [call.text(), call.text(), call.bytes(), call.u32(), call.bytes()];
    const expected = isExpected === 0 ? undefined : given;
    const { swap } = await ask(state, { kind: "compareAndSwap", bucket, key, expected, value }, "swap");
    state.result = swap.isSwapped ? new Uint8Array() : (swap.current ?? new Uint8Array());
    return Number(swap.isSwapped);
  },
  async kv_list_keys(state, call) {
    const [bucket, after, out] = [call.text(), call.text(), call.out()];
    const { page } = await ask(state, { kind: "listKeys", bucket, cursor: after === "" ? undefined : after }, "page");
    return giveResult(state, out, sizedTexts([page.cursor ?? "", ...page.keys]));
  },
};

/** Each with its length in front: a key may hold any character, so none can stand between them. */
function sizedTexts(texts: readonly string[]): Uint8Array {
  const pieces = texts.flatMap((text) => {
    const bytes = utf8(text);
    return [numberBytes(bytes.length, 4), bytes];
  });
  return joined(pieces);
}

async function ask<Kind extends KvAnswer["kind"]>(
  { line }: AbiState,
  call: KvCall,
  kind: Kind,
): Promise<Extract<KvAnswer, { kind: Kind }>> {
  const answer = answered(await line.kv(call));
  if (isOfKind(answer, kind)) return answer;
  throw new Error(`${call.kind} was answered by ${answer.kind}`);
}

function isOfKind<Kind extends KvAnswer["kind"]>(
  answer: KvAnswer,
  kind: Kind,
): answer is Extract<KvAnswer, { kind: Kind }> {
  return answer.kind === kind;
}
