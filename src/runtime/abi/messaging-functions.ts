/** Messaging functions of the core import ABI. */
import { answered, giveResult, type AbiFunction } from "./abi-state.ts";

/** By the names of `CORE_ABI_SIGNATURES`. */
export const MESSAGING_FUNCTIONS: Readonly<Record<string, AbiFunction>> = {
  async publish(state, call) {
    const message = { topic: call.text(), body: call.bytes(), replyTo: undefined };
    answered(await state.line.messaging({ kind: "publish", message }));
    return 0;
  },
  async request(state, call) {
    const [topic, body, timeoutMs, out] = [call.text(), call.bytes(), call.u32(), call.out()];
    const answer = answered(await state.line.messaging({ kind: "request", topic, body, timeoutMs }));
    if (answer.kind !== "reply") throw new Error(`a request was answered by ${answer.kind}`);
    return giveResult(state, out, answer.message.body);
  },
};
