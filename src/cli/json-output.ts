/** JSON for programs: protobuf's JSON mapping, with fields that are empty or 0 spelled out, so that a script need not guess. */
import { toJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";

/** A message as JSON. */
export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}

/** One document, indented. */
export function documentText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** One line of a stream of JSON lines. */
export function lineText(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
