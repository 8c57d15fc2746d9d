/** A call of one exported function. */
import type { FunctionType } from "./core-module.ts";
import type { GuestCall } from "./guest-call.ts";
import { jsonFromWasm, wasmFromJson } from "./json-values.ts";

/** The call, and the promise of its results. */
export type InvokeCall = { readonly call: GuestCall; readonly results: Promise<readonly unknown[]> };

/** Makes a call; throws `ARGUMENT_INVALID`. */
export function createInvokeCall(name: string, type: FunctionType, args: readonly unknown[]): InvokeCall {
  const settled = Promise.withResolvers<readonly unknown[]>();
  const call: GuestCall = {
    opening: { kind: "invoke", name, values: wasmFromJson(name, type, args) },
    isHeldByCaller: false,
    accept(message) {
      if (message.kind !== "returned") return false;
      settled.resolve(jsonFromWasm(message.values));
      return true;
    },
    abandon: (why) => settled.reject(why),
    letGo: () => {},
  };
  return { call, results: settled.promise };
}
