/** `wasmatrix run`: its flags and help; what it does is in `start-and-wait.ts`. */
import { Option } from "commander";
import { addClientFlags, addExamples, parsedFlag, repeatedFlag, type CommandModule } from "../command-context.ts";
import { durationMsFromText } from "../duration.ts";
import { withKeyValue } from "../key-value-flag.ts";
import { addLimitFlags, limitReader } from "../limit-flags.ts";
import { settleOrder } from "../manifest/settle-order.ts";
import { explainStart } from "../explain-start.ts";
import { digestFromText } from "../module-choice.ts";
import { allowAllText } from "../permissions/allow-all.ts";
import { addPermissionFlags } from "../permissions/permission-flags.ts";
import { restartFromText } from "../restart-flag.ts";
import type { RunFlags } from "../run-flags.ts";
import { COUNT_MAX, ISOLATION_WORDS, NODE_LOSS_WORDS, REUSE_WORDS } from "../run-order.ts";
import { startAndWait } from "../start-and-wait.ts";
import { wholeNumberFromText } from "../whole-number.ts";

/** Starts instances of a module. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Start an instance of a module. Prints its id; for an HTTP service with a name, also where it answers. With --wait, waits until it runs, or for a command until it has ended, with its output and its exit code; Ctrl-C then stops it.",
    )
    .argument(
      "[file-or-url]",
      "a .wasm file, an http(s) URL that the control plane fetches, or the sha256: digest of a module that it has; default: what wasmatrix.json in this folder says",
    )
    .optionsGroup("What runs:")
    .option("-f, --file <file>", "manifest with all of this, such as wasmatrix.json; flags come on top of it")
    .option("--name <name>", "name under which it is found and serves HTTP; several instances may share one")
    .option("--unique", "refuse if a live instance has the name")
    .addOption(parsedFlag("--label <key=value>", "label, for filters (repeatable)", withKeyValue))
    .addOption(parsedFlag("--env <key=value>", "environment variable (repeatable)", withKeyValue))
    .addOption(parsedFlag("--config <key=value>", "value that it reads by wasi:config (repeatable)", withKeyValue))
    .option("--config-file <file>", "JSON object with such values; --config comes on top of it")
    .addOption(repeatedFlag("--arg <arg>", "argument of the guest", (text) => text))
    .option("--stdin <file>", "file that it reads as standard input, at most 1 MiB; - for this program's own")
    .addOption(parsedFlag("--digest <sha256:hex>", "refuse to start other bytes than these", digestFromText))
    .optionsGroup("What it may do (nothing else; what is denied wins):");
  addPermissionFlags(command, { workDir: context.io.workDir, bareFolders: false })
    .optionsGroup("Bounds:")
    .addOption(
      parsedFlag(
        "--timeout <duration>",
        "longest call, or for a command, longest run, such as 30s",
        limitReader("duration"),
      ),
    );
  addLimitFlags(command)
    .optionsGroup("How it is hosted:")
    .addOption(
      new Option(
        "--isolation <isolation>",
        "a thread shared with others, or one of its own (default shared; commands always have their own)",
      ).choices(ISOLATION_WORDS),
    )
    .addOption(
      new Option(
        "--reuse <reuse>",
        "whether calls find the memory that earlier ones left, or each call a fresh copy (default instance)",
      ).choices(REUSE_WORDS),
    )
    .addOption(parsedFlag("--restart <policy>", "never (default), always, on-failure or on-failure:N", restartFromText))
    .addOption(
      parsedFlag(
        "--backoff <duration>",
        "wait before the first restart, doubled with each in a row (default 1s)",
        durationMsFromText,
      ),
    )
    .addOption(
      new Option(
        "--on-node-loss <what>",
        "when its node is lost: nothing, or a start on another node (default none)",
      ).choices(NODE_LOSS_WORDS),
    )
    .optionsGroup("Where and how many:")
    .addOption(parsedFlag("--count <n>", "start so many", wholeNumberFromText(1, COUNT_MAX)))
    .option("--node <node>", "only on this node")
    .addOption(parsedFlag("--node-label <key=value>", "only on nodes with this label (repeatable)", withKeyValue))
    .option("--dry-run", "show how each node is judged, and start nothing")
    .option("--wait", "wait until it runs, or for a command until it has ended")
    .option("--idempotency-key <key>", "started again with the same key, it is the same instance")
    .optionsGroup("Output:");
  addClientFlags(command).action(async (module: string | undefined, flags: RunFlags) => {
    const order = await settleOrder(context.io, module, flags);
    if (flags.allowAll === true) await context.io.stderr.write(allowAllText());
    await (flags.dryRun === true ? explainStart : startAndWait)(context, order, flags);
  });
  addExamples(command, [
    ["run", "what wasmatrix.json in this folder says"],
    ["run hello.wasm --name hello --allow-kv --restart always", "an HTTP service that may use the key-value store"],
    ["run proxy.wasm --name proxy --allow-net=api.example.com", "one that may send requests to one host"],
    ["run stats.wasm --stdin numbers.txt --wait", "a command; exits with its exit code"],
    ["run tool.wasm --allow-read=./data::/data --arg /data/in.csv --wait", "a command that may read a folder"],
    ["run calc.wasm --name calc", "a module with functions, for wasmatrix invoke"],
    [
      "run hello.wasm --name hello --count 3 --memory 32MiB --call-timeout 5s",
      "three that share the load, with tighter bounds",
    ],
    ["run hello.wasm --name hello --on-node-loss restart-elsewhere", "one that outlives its node"],
    ["run hello.wasm --node-label zone=eu --dry-run", "where it would go, and why"],
    ["run untrusted.wasm --name guest --isolation dedicated --reuse none", "nothing carried over from call to call"],
    ["run https://example.com/app.wasm --digest sha256:9f86d0...", "from the web, and only those bytes"],
  ]);
};
