/** What `agent` and `dev` have in common: how much a node takes, and what of its host it shares with instances. */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { AgentOptions } from "../agent/serve.ts";
import { bytesFromText } from "./byte-size.ts";
import { parsedFlag, repeatedFlag } from "./command-context.ts";
import { UsageError } from "./usage-error.ts";
import { wholeNumberFromText } from "./whole-number.ts";

/** The flags, understood. */
export type NodeFlags = {
  readonly instancesMax?: number;
  readonly memoryMax?: number;
  /** Absolute. */
  readonly shareFolder?: readonly string[];
  readonly shareEnv?: readonly (readonly string[])[];
};

/** The engine holds some 16,000 memories at once. */
const INSTANCES_MAX = 12_000;

/** How the flags are added. */
export type NodeFlagOptions = {
  /** Against which folders are resolved. */
  readonly workDir: string;
  /** What is shared if no folder is named, for the help. */
  readonly sharedByDefault: string;
};

/** Adds `NodeFlags`. */
export function addNodeFlags(command: Command, options: NodeFlagOptions): Command {
  return command
    .optionsGroup("What it takes, and shares with instances that are granted it:")
    .addOption(parsedFlag("--instances-max <n>", "most live instances", wholeNumberFromText(1, INSTANCES_MAX)))
    .addOption(parsedFlag("--memory-max <size>", "most memory of all instances together, such as 4GiB", bytesFromText))
    .addOption(
      repeatedFlag(
        "--share-folder <folder>",
        `folder that instances may be granted, with all below it; default: ${options.sharedByDefault}`,
        (text) => resolve(options.workDir, text),
      ),
    )
    .addOption(
      repeatedFlag(
        "--share-env <name,...>",
        "environment variables that instances may be granted; default: none",
        namesFromText,
      ),
    );
}

/** The options of `serveAgent` that the flags say. */
export function agentOptionsFromFlags(
  flags: NodeFlags,
  sharedByDefault: readonly string[],
): Pick<AgentOptions, "instancesMax" | "memoryMaxBytes" | "sharedFolders" | "sharedEnv"> {
  return {
    ...(flags.instancesMax === undefined ? {} : { instancesMax: flags.instancesMax }),
    ...(flags.memoryMax === undefined ? {} : { memoryMaxBytes: flags.memoryMax }),
    sharedFolders: flags.shareFolder ?? sharedByDefault,
    sharedEnv: (flags.shareEnv ?? []).flat(),
  };
}

function namesFromText(text: string): string[] {
  return text.split(",").map((part) => {
    const name = part.trim();
    if (name === "") throw new UsageError("a name is missing between commas");
    if (/[=\s*]/.test(name)) throw new UsageError(`"${name}" is not the name of a variable; write it like LANG,TZ`);
    if (/^WASMATRIX_/i.test(name))
      throw new UsageError(`"${name}" is a setting of Wasmatrix itself, and may hold its token`);
    return name;
  });
}
