/** How `wasi:keyvalue` asks the agent, the same in both drafts. */
import type { KvAnswer, KvCall } from "../../providers/kv/kv.ts";
import type { Asked, GuestLine } from "./guest-line.ts";
import { err, whenThere, type WitResult } from "./wit-result.ts";

/** Variant `error` of `wasi:keyvalue/store`. */
export type StoreError = {
  readonly tag: "access-denied" | "other" | "no-such-store";
  readonly val: string | undefined;
};

const ACCESS_DENIED = err<StoreError>({ tag: "access-denied", val: undefined });

/** What a function of the interface gives: at once when the agent did. */
export type Stored<T> = WitResult<T, StoreError> | Promise<WitResult<T, StoreError>>;

type AnswerOf<Kind extends KvAnswer["kind"]> = Extract<KvAnswer, { kind: Kind }>;

/** Makes a call and hands the answer, which must be of `kind`, to `use`. */
export function askKv<Kind extends KvAnswer["kind"], T>(
  line: GuestLine,
  kind: Kind,
  call: KvCall,
  use: (answer: AnswerOf<Kind>) => WitResult<T, StoreError>,
): Stored<T> {
  return whenThere(line.kv(call), (asked: Asked<KvAnswer>): WitResult<T, StoreError> => {
    if (asked.tag === "err") {
      const { isDenied, message } = asked.val;
      return isDenied ? ACCESS_DENIED : otherError(message);
    }
    return isAnswer(asked.val, kind)
      ? use(asked.val)
      : otherError(`the agent answered ${call.kind} with something else`);
  });
}

/** `other(message)`. */
export function otherError(message: string): WitResult<never, StoreError> {
  return err({ tag: "other", val: message });
}

function isAnswer<Kind extends KvAnswer["kind"]>(answer: KvAnswer, kind: Kind): answer is AnswerOf<Kind> {
  return answer.kind === kind;
}
