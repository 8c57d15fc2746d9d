/**
 * Reads JSON and remembers where everything stands, which `JSON.parse` does not tell, not even reliably of a mistake. It takes and refuses
 * the same texts, but for keys that stand twice in an object. Pure.
 */
import type { JsonPath } from "./json-schema-check.ts";

/** A value, and where it and its parts stand. */
export type PlacedJson = {
  readonly value: unknown;
  /** The line, from 1, on which the value at `path` begins; of the nearest one around it if there is none. */
  lineOf(path: JsonPath): number;
};

/** A text that is no JSON. */
export class JsonMistake extends Error {
  override readonly name = "JsonMistake";
  /** From 1. */
  readonly line: number;

  constructor(problem: string, line: number) {
    super(problem);
    this.line = line;
  }
}

/** Reads `text`; throws `JsonMistake`, which never quotes more of the text than a word. */
export function placedJsonFromText(text: string): PlacedJson {
  const lines = new Map<string, number>();
  // Some editors begin a file with a byte order mark.
  const reader = createReader(text.replace(/^\uFEFF/, ""), lines);
  const value = reader.value([]);
  reader.end();
  return {
    value,
    lineOf: (path) => {
      const found = path.map((_, index) => lines.get(JSON.stringify(path.slice(0, path.length - index))));
      return found.find((line) => line !== undefined) ?? lines.get("[]") ?? 1;
    },
  };
}

const DEPTH_MAX = 64;
const TOKEN = /[ \t\n\r]*([{}[\],:]|"(?:[^"\\\n]|\\.)*"|[-+.\w$/'"\\]+|[^ \t\n\r]|$)/y;
const COMMENT = /^\/[/*]/;

type Reader = { value(path: JsonPath): unknown; end(): void };

function createReader(text: string, lines: Map<string, number>): Reader {
  let token = "";
  let offset = 0;
  const next = (): void => {
    TOKEN.lastIndex = offset + token.length;
    token = TOKEN.exec(text)?.[1] ?? "";
    offset = TOKEN.lastIndex - token.length;
  };
  const isAt = (wanted: string): boolean => token === wanted;
  const line = (): number => text.slice(0, offset).split("\n").length;
  const mistake = (wanted: string): JsonMistake => {
    if (token === "") return new JsonMistake(`${wanted} is missing at the end`, line());
    if (COMMENT.test(token)) return new JsonMistake("JSON has no comments", line());
    // A text that is not closed may hold a secret.
    const found = token.startsWith('"') ? "a text that is not well-formed" : `"${token.slice(0, 20)}"`;
    return new JsonMistake(`${found} stands where ${wanted} should`, line());
  };
  const skip = (wanted: string): void => {
    if (token !== wanted) throw mistake(`"${wanted}"`);
    next();
  };

  const scalar = (wanted: string): unknown => {
    let found: unknown;
    try {
      found = JSON.parse(token);
    } catch {
      // Said with the line instead.
      throw mistake(wanted);
    }
    next();
    return found;
  };
  const list = (path: JsonPath): unknown[] => {
    const items: unknown[] = [];
    next();
    while (!isAt("]")) {
      if (items.length > 0) {
        skip(",");
        if (token === "]") throw new JsonMistake("there is a comma behind the last entry", line());
      }
      items.push(value([...path, items.length]));
      if (token !== "," && token !== "]") throw mistake('"," or "]"');
    }
    next();
    return items;
  };
  const object = (path: JsonPath): unknown => {
    const entries = new Map<string, unknown>();
    next();
    while (!isAt("}")) {
      if (entries.size > 0) {
        skip(",");
        if (token === "}") throw new JsonMistake("there is a comma behind the last entry", line());
      }
      const at = line();
      if (!token.startsWith('"')) throw mistake("a key in double quotes");
      const key = String(scalar("a key in double quotes"));
      if (entries.has(key)) throw new JsonMistake(`the key ${JSON.stringify(key)} stands there twice`, at);
      skip(":");
      entries.set(key, value([...path, key]));
      if (token !== "," && token !== "}") throw mistake('"," or "}"');
    }
    next();
    return Object.fromEntries(entries);
  };
  const value = (path: JsonPath): unknown => {
    if (path.length > DEPTH_MAX) throw new JsonMistake(`it is nested more than ${DEPTH_MAX} deep`, line());
    lines.set(JSON.stringify(path), line());
    if (token === "[") return list(path);
    return token === "{" ? object(path) : scalar("a value");
  };
  next();
  return {
    value,
    end: () => {
      if (token !== "") throw mistake("the end");
    },
  };
}
