/** Calls that have one answer: of an exported function, and of a message handler. */
import { fault, Reason } from "../../fault.ts";
import type { Message } from "../../providers/messaging/messaging.ts";
import type { GuestCall } from "./guest-call.ts";
import type { CallOrder, CallOutcome } from "./protocol.ts";

/** A call, and the promise of what it comes to. */
export type PlainCall<Answer> = { readonly call: GuestCall; readonly answer: Promise<Answer> };

/** A call of an exported function; `args` are what the guest's side takes. */
export function createInvokeCall(name: string, args: readonly unknown[]): PlainCall<readonly unknown[]> {
  return plainCall({ kind: "invoke", name, args }, (outcome) => (outcome.kind === "returned" ? outcome.values : []));
}

/** A delivery of a message; it rejects with `DELIVERY_FAILED` if the handler answers with an error. */
export function createDeliverCall(id: string, message: Message): PlainCall<void> {
  return plainCall({ kind: "deliver", message: { ...message, body: new Uint8Array(message.body) } }, (outcome) => {
    if (outcome.kind !== "done" || outcome.failure === undefined) return;
    throw fault(
      Reason.DELIVERY_FAILED,
      `Cannot deliver message to instance "${id}": its handler answered ${JSON.stringify(outcome.failure)}`,
      {
        subject: id,
      },
    );
  });
}

/** The whole run of a command; its answer is the exit code. */
export function createRunCall(): PlainCall<number> {
  return plainCall({ kind: "run" }, (outcome) => (outcome.kind === "exited" ? outcome.exitCode : 0));
}

function plainCall<Answer>(order: CallOrder, answerFrom: (outcome: CallOutcome) => Answer): PlainCall<Answer> {
  const settled = Promise.withResolvers<Answer>();
  const call: GuestCall = {
    order,
    isHeldByCaller: false,
    begin: () => undefined,
    accept: () => undefined,
    finish(outcome) {
      try {
        settled.resolve(answerFrom(outcome));
      } catch (error) {
        settled.reject(error);
      }
    },
    abandon: (why) => settled.reject(why),
    fail: (why) => settled.reject(why),
    letGo: () => undefined,
  };
  return { call, answer: settled.promise };
}
