/** `wasmatrix run`: its flags and help; what it does is in `start-and-wait.ts`. */
import { bytesFromText } from "../byte-size.ts";
import { addClientFlags, addExamples, parsedFlag, repeatedFlag, type CommandModule } from "../command-context.ts";
import { durationMsFromText } from "../duration.ts";
import { withKeyValue } from "../key-value-flag.ts";
import { kvGrantFromText } from "../kv-grant-flag.ts";
import { digestFromText } from "../module-choice.ts";
import { restartFromText } from "../restart-flag.ts";
import type { RunFlags } from "../run-request.ts";
import { startAndWait } from "../start-and-wait.ts";
import { wholeNumberFromText } from "../whole-number.ts";

const COUNT_MAX = 10_000;

/** Starts instances of a module. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Start an instance of a module. Prints its id; for an HTTP service with a name, also where it answers. With --wait, waits until it runs, or for a command until it has ended, with its output and its exit code; Ctrl-C then stops it.",
    )
    .argument(
      "<file-or-url>",
      "a .wasm file, an http(s) URL that the control plane fetches, or the sha256: digest of a module that it has",
    )
    .optionsGroup("What runs:")
    .option("--name <name>", "name under which it is found and serves HTTP; several instances may share one")
    .option("--unique", "refuse if a live instance has the name")
    .addOption(parsedFlag("--label <key=value>", "label, for filters (repeatable)", withKeyValue))
    .addOption(parsedFlag("--env <key=value>", "environment variable (repeatable)", withKeyValue))
    .addOption(repeatedFlag("--arg <arg>", "argument of the guest", (text) => text))
    .option("--stdin <file>", "file that it reads as standard input, at most 1 MiB; - for this program's own")
    .addOption(parsedFlag("--digest <sha256:hex>", "refuse to start other bytes than these", digestFromText))
    .optionsGroup("What it may do:")
    .addOption(
      repeatedFlag(
        "--allow-kv [bucket[:permissions]]",
        "use of a key-value bucket; default: bucket default, all of read,write,delete",
        kvGrantFromText,
      ),
    )
    .optionsGroup("Bounds and restarts:")
    .addOption(parsedFlag("--memory <size>", "most memory, such as 64MiB", bytesFromText))
    .addOption(
      parsedFlag(
        "--timeout <duration>",
        "longest call, or for a command, longest run, such as 30s",
        durationMsFromText,
      ),
    )
    .addOption(parsedFlag("--restart <policy>", "never (default), always, on-failure or on-failure:N", restartFromText))
    .addOption(
      parsedFlag(
        "--backoff <duration>",
        "wait before the first restart, doubled with each in a row (default 1s)",
        durationMsFromText,
      ),
    )
    .optionsGroup("Where and how many:")
    .addOption(parsedFlag("--count <n>", "start so many", wholeNumberFromText(1, COUNT_MAX)))
    .option("--node <node>", "only on this node")
    .addOption(parsedFlag("--node-label <key=value>", "only on nodes with this label (repeatable)", withKeyValue))
    .option("--wait", "wait until it runs, or for a command until it has ended")
    .option("--idempotency-key <key>", "started again with the same key, it is the same instance")
    .optionsGroup("Output:");
  addClientFlags(command).action(async (module: string, flags: RunFlags) => startAndWait(context, module, flags));
  addExamples(command, [
    ["run hello.wasm --name hello --allow-kv --restart always", "an HTTP service that may use the key-value store"],
    ["run stats.wasm --stdin numbers.txt --wait", "a command; exits with its exit code"],
    ["run calc.wasm --name calc", "a module with functions, for wasmatrix invoke"],
    [
      "run hello.wasm --name hello --count 3 --memory 32MiB --timeout 5s",
      "three that share the load, with tighter bounds",
    ],
    ["run https://example.com/app.wasm --digest sha256:9f86d0...", "from the web, and only those bytes"],
  ]);
};
