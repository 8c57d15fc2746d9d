/** The permission flags of `run`, `grant` and `revoke`. */
import type { Command } from "commander";
import { repeatedFlag } from "../command-context.ts";
import { ALLOW_ALL_RULES } from "./allow-all.ts";
import {
  deniedFolderPermission,
  envPermissions,
  folderPermission,
  netPermissions,
  topicPermissions,
} from "./flag-values.ts";
import { kvGrantFromText } from "./kv-grant-flag.ts";
import { kvRules, ruleOf, type CapabilityWord, type PermissionRule, type RuleEffect } from "./permission-rule.ts";

/** The words behind `--allow-` and `--deny-`. */
export type PermissionWord = "net" | "env" | "read" | "write" | "kv" | "publish" | "subscribe";

/** One flag, understood. */
export type PermissionFlag = {
  readonly effect: RuleEffect;
  readonly word: PermissionWord | "all";
  /** Whether it came without a value, which means all of its kind. */
  readonly isBare: boolean;
  readonly rules: readonly PermissionRule[];
};

/** What commander makes of them. */
export type PermissionFlags = {
  readonly [Name in `${RuleEffect}${Capitalize<PermissionWord>}`]?: readonly PermissionFlag[];
} & { readonly allowAll?: boolean };

type WordEntry = {
  readonly word: PermissionWord;
  readonly placeholder: string;
  readonly allows: string;
  readonly denies: string;
};

const WORDS: readonly WordEntry[] = [
  {
    word: "net",
    placeholder: "[host[:port],...]",
    allows: "HTTP requests to these hosts, *.example.com for all below it; default: any public address",
    denies: "no HTTP requests to these hosts; default: none at all",
  },
  {
    word: "env",
    placeholder: "[name,...]",
    allows: "these environment variables of the node, as far as it shares them; default: all",
    denies: "these environment variables not; default: none at all",
  },
  {
    word: "read",
    placeholder: "[dir[::guest-dir]]",
    allows: "reading below a folder of the node, seen by the guest at the same path or at guest-dir",
    denies: "no reading below this folder; default: none at all",
  },
  {
    word: "write",
    placeholder: "[dir[::guest-dir]]",
    allows: "writing below a folder of the node",
    denies: "no writing below this folder; default: none at all",
  },
  {
    word: "kv",
    placeholder: "[bucket[:permissions]]",
    allows: "use of a key-value bucket; default: bucket default, all of read,write,delete",
    denies: "no use of a key-value bucket, or not these permissions on it; default: bucket default, all",
  },
  {
    word: "publish",
    placeholder: "[topic,...]",
    allows: "publishing to these topics, such as orders.*; default: all",
    denies: "no publishing to these topics; default: none at all",
  },
  {
    word: "subscribe",
    placeholder: "[topic,...]",
    allows: "receiving the messages of these topics; default: all",
    denies: "no messages of these topics; default: none at all",
  },
];

/** How the flags are added. */
export type PermissionFlagOptions = {
  /** Against which folders are resolved. */
  readonly workDir: string;
  /** `true` where a bare `--allow-read` means all that was granted, as in `revoke`. */
  readonly bareFolders: boolean;
};

/** Adds `--allow-…`, `--deny-…` and `--allow-all`. Values stand behind `=` only, so that `--allow-net app.wasm` does not take the file for a host. */
export function addPermissionFlags(command: Command, options: PermissionFlagOptions): Command {
  for (const effect of ["allow", "deny"] as const) {
    for (const { word, placeholder, allows, denies } of WORDS) {
      command.addOption(
        repeatedFlag(`--${effect}-${word} ${placeholder}`, effect === "allow" ? allows : denies, (text) =>
          flagFromText(effect, word, text, options),
        ),
      );
    }
  }
  return command.option("-A, --allow-all", "all of these but folders; says on stderr what that means");
}

/** All permission flags of one command line, allowed ones first. */
export function permissionFlagsGiven(flags: PermissionFlags): PermissionFlag[] {
  const all: PermissionFlag = { effect: "allow", word: "all", isBare: true, rules: ALLOW_ALL_RULES };
  return [
    flags.allowAll === true ? [all] : [],
    flags.allowNet,
    flags.allowEnv,
    flags.allowRead,
    flags.allowWrite,
    flags.allowKv,
    flags.allowPublish,
    flags.allowSubscribe,
    flags.denyNet,
    flags.denyEnv,
    flags.denyRead,
    flags.denyWrite,
    flags.denyKv,
    flags.denyPublish,
    flags.denySubscribe,
  ].flatMap((given) => given ?? []);
}

function flagFromText(
  effect: RuleEffect,
  word: PermissionWord,
  text: string,
  options: PermissionFlagOptions,
): PermissionFlag {
  const isBare = text === "";
  const rulesOf = (type: Exclude<CapabilityWord, "kv">, permissions: readonly string[]): PermissionRule[] =>
    permissions.map((permission) => ruleOf(effect, type, permission));
  const rules = (): readonly PermissionRule[] => {
    switch (word) {
      case "net":
        return rulesOf("http", netPermissions(text));
      case "env":
        return rulesOf("environment", envPermissions(text));
      case "read":
      case "write":
        if (isBare && options.bareFolders) return [];
        return rulesOf("files", [
          effect === "deny"
            ? deniedFolderPermission(word, text, options.workDir)
            : folderPermission(word, text, options.workDir),
        ]);
      case "kv":
        return kvRules(effect, kvGrantFromText(text));
      case "publish":
      case "subscribe":
        return rulesOf("messaging", topicPermissions(word, text));
    }
  };
  return { effect, word, isBare, rules: rules() };
}
