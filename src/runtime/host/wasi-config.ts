/** `wasi:config`: what the start order says to the guest. */
import type { HostInterface, HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";
import { ok } from "./wit-result.ts";

/** `store`, and `runtime` as it was called before; values never fail to be there, so the interface's errors never occur. */
export function configInterfaces(line: GuestLine): HostInterfaces {
  const store: HostInterface = {
    functions: {
      get: (key: string) => ok(line.config.get(key)),
      "get-all": () => ok([...line.config]),
    },
  };
  return { "wasi:config/store": store, "wasi:config/runtime": store };
}
