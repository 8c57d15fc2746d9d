/** Repeatable `KEY=VALUE` flags, such as --env and --label. Pure. */
import { UsageError } from "./usage-error.ts";

/** Adds one `KEY=VALUE` to those before; a later one for the same key wins. The value may be empty and may hold `=`. */
export function withKeyValue(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 0) throw new UsageError(`there is no "=" in it; write it like ${text === "" ? "KEY" : text}=VALUE`);
  if (at === 0) throw new UsageError('the key before "=" is empty; write it like KEY=VALUE');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
