/** The interfaces of `wasi:cli`: what surrounds a guest that has no terminal. */
import type { HostInterfaces, WitResult } from "../component/component-value.ts";
import { GuestExit } from "./guest-exit.ts";
import type { GuestLine } from "./guest-line.ts";
import { InputStream } from "./input-stream.ts";
import { OutputStream, readinessOfSink } from "./output-stream.ts";
import { Readiness } from "./readiness.ts";

/** `environment`, `exit`, the three standard streams, and terminals of which there are none. */
export function cliInterfaces(line: GuestLine): HostInterfaces {
  // One readiness for each standard stream: a guest may ask for it, and subscribe to it, any number of times.
  let stdin: Readiness | undefined;
  let stdout: Readiness | undefined;
  let stderr: Readiness | undefined;
  return {
    "wasi:cli/environment": {
      functions: {
        "get-environment": () => environment(line),
        "get-arguments": () => [...line.args],
        "initial-cwd": () => undefined,
      },
    },
    "wasi:cli/exit": {
      functions: {
        exit: ({ tag }: WitResult<undefined, undefined>) => exit(tag === "ok" ? 0 : 1),
        "exit-with-code": exit,
      },
    },
    "wasi:cli/stdin": {
      functions: { "get-stdin": () => new InputStream(line.stdin, undefined, (stdin ??= new Readiness(line.stdin))) },
    },
    "wasi:cli/stdout": {
      functions: {
        "get-stdout": () => new OutputStream(line.stdout, undefined, (stdout ??= readinessOfSink(line.stdout))),
      },
    },
    "wasi:cli/stderr": {
      functions: {
        "get-stderr": () => new OutputStream(line.stderr, undefined, (stderr ??= readinessOfSink(line.stderr))),
      },
    },
    "wasi:cli/terminal-input": { functions: {}, resources: { "terminal-input": {} } },
    "wasi:cli/terminal-output": { functions: {}, resources: { "terminal-output": {} } },
    "wasi:cli/terminal-stdin": { functions: { "get-terminal-stdin": () => undefined } },
    "wasi:cli/terminal-stdout": { functions: { "get-terminal-stdout": () => undefined } },
    "wasi:cli/terminal-stderr": { functions: { "get-terminal-stderr": () => undefined } },
  };
}

function exit(exitCode: number): never {
  throw new GuestExit(exitCode);
}

/** All variables that the guest sees at this moment; each counts as used, as the guest has read it. */
function environment(line: GuestLine): [string, string][] {
  const variables = Object.entries(line.rights().env);
  for (const [name] of variables) line.audit(`env:${name}`, "used");
  return variables;
}
