/** The file of `--config-file`: a JSON object of texts. Pure. */
import { UsageError } from "../usage-error.ts";
import { JsonMistake, placedJsonFromText } from "./json-places.ts";
import { jsonPathText, jsonProblem } from "./json-schema-check.ts";

/** The values in `text`; throws `UsageError` that names `shownPath`, the line and what is wrong, never a value. */
export function configValuesFromText(text: string, shownPath: string): Record<string, string> {
  const refuse = (line: number, problem: string): UsageError =>
    new UsageError(
      `Cannot read config values ${shownPath}:${line}: ${problem}`,
      'write them like {"greeting": "hello", "retries": "3"}',
    );
  try {
    const placed = placedJsonFromText(text);
    const { value } = placed;
    const found = jsonProblem({ type: "object", additionalProperties: { type: "string" } }, value, { patterns: false });
    if (found !== undefined) {
      const key = jsonPathText(found.path);
      throw refuse(placed.lineOf(found.path), key === "" ? found.problem : `${key}: ${found.problem}`);
    }
    const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
    return Object.fromEntries(entries.map(([key, one]) => [key, String(one)]));
  } catch (error) {
    if (error instanceof JsonMistake) throw refuse(error.line, error.message);
    throw error;
  }
}
