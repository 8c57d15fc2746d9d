/** Enum values as words for people and flags: `on-failure`, `running`. Pure. */
import type { DescEnum } from "@bufbuild/protobuf";
import { UsageError } from "./usage-error.ts";

/** The word of a value, such as `on-failure`; a value that is newer than this program is `?7`. */
export function wordFromEnum(schema: DescEnum, value: number): string {
  const name = schema.value[value]?.localName;
  if (name === undefined) return `?${value}`;
  return name === "UNSPECIFIED" ? "" : name.toLowerCase().replaceAll("_", "-");
}

/** The words of all values of an enum but the unspecified one. */
export function wordsOfEnum(schema: DescEnum): string[] {
  return schema.values.map(({ number }) => wordFromEnum(schema, number)).filter((word) => word !== "");
}

/** The one of an enum's `values` that `word` means; throws `UsageError` that lists the words there are. */
export function enumFromWord<Value extends number>(
  schema: DescEnum,
  values: Readonly<Record<string, Value>>,
  word: string,
): Value {
  const named = Object.values(values).filter((value) => value !== 0);
  const found = named.find((value) => wordFromEnum(schema, value) === word.toLowerCase());
  if (found !== undefined) return found;
  throw new UsageError(`there are ${wordsOfEnum(schema).join(", ")}`);
}
