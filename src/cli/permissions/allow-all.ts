/** `--allow-all`: which permissions it stands for, and what that means. Pure. */
import { kvRules, ruleOf, type PermissionRule } from "./permission-rule.ts";

/**
 * All that `--allow-all` grants. No folder is among it: which ones a node shares is the node's own matter, and a guest that
 * may write everywhere below them is rarely what is meant.
 */
export const ALLOW_ALL_RULES: readonly PermissionRule[] = [
  ...kvRules("allow", { bucket: "", permissions: [], providerId: "" }),
  ruleOf("allow", "http", "http:request"),
  ruleOf("allow", "messaging", "msg:publish:>"),
  ruleOf("allow", "messaging", "msg:subscribe:>"),
  ruleOf("allow", "environment", "env:*"),
];

const MEANING: Readonly<Record<string, string>> = {
  "kv:read": 'read the key-value bucket "default"',
  "kv:write": 'write the key-value bucket "default"',
  "kv:delete": 'delete from the key-value bucket "default"',
  "http:request": "send HTTP requests to any public address",
  "msg:publish:>": "publish to every topic",
  "msg:subscribe:>": "receive the messages of every topic",
  "env:*": "see every environment variable that the node shares",
};

/** What is told before a start with `--allow-all`: each permission on a line. */
export function allowAllText(): string {
  const widest = Math.max(...ALLOW_ALL_RULES.map(({ permission }) => permission.length));
  const lines = ALLOW_ALL_RULES.map(({ permission }) =>
    `  ${permission.padEnd(widest)}  ${MEANING[permission] ?? ""}`.trimEnd(),
  );
  return [
    "note: --allow-all lets it",
    ...lines,
    "  no folder: name those with --allow-read=DIR and --allow-write=DIR; no other bucket: --allow-kv=BUCKET",
    "",
  ].join("\n");
}
