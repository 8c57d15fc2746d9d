/** `wasi:logging`. */
import type { HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";

/** `logging`: structured lines for the instance's log. */
export function loggingInterfaces(line: GuestLine): HostInterfaces {
  return {
    "wasi:logging/logging": {
      functions: {
        log: (level: Parameters<GuestLine["log"]>[0], context: string, message: string) =>
          line.log(level, context, message),
      },
      suspending: ["log"],
    },
  };
}
