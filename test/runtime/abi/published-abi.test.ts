import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ABI_ERROR } from "../../../src/runtime/abi/abi-error.ts";
import { abiNumbers, CORE_ABI_SIGNATURES } from "../../../src/runtime/abi/abi-signatures.ts";

const read = (path: string): string => readFileSync(join(import.meta.dirname, "..", "..", "..", path), "utf8");
const HEADER = read("examples/core-abi/wasmatrix.h");
const REFERENCE = read("docs/core-abi.md");

/** C types by what they become in Wasm. */
function wasmType(declaration: string): "i32" | "i64" {
  return /\b(?:u?int64_t)\s+\w+$/.test(declaration) ? "i64" : "i32";
}

describe("the published core ABI", () => {
  it("is in the C header, function by function, with the types that the runtime checks", () => {
    const declared = [...HEADER.matchAll(/WASMATRIX_IMPORT\((\w+)\)\s+(int32_t|int64_t) wasmatrix_(\w+)\(([^)]*)\)/g)];
    const types = declared.map(([, name, result, cName, parameters = ""]) => {
      expect(cName).toBe(name);
      const list = parameters === "void" ? [] : parameters.split(",").map((text) => text.trim());
      return [name, { parameters: list.map(wasmType), result: result === "int64_t" ? "i64" : "i32" }];
    });
    expect(Object.fromEntries(types)).toEqual(
      Object.fromEntries(
        Object.entries(CORE_ABI_SIGNATURES).map(([name, signature]) => [
          name,
          { parameters: abiNumbers(signature), result: signature.result },
        ]),
      ),
    );
  });

  it("is in the reference, function by function, with parameters, waiting and permission", () => {
    const rows = REFERENCE.split("\n")
      .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))
      .filter(({ length }) => length === 7)
      .slice(2);
    expect(rows.map(([, name]) => name)).toEqual(Object.keys(CORE_ABI_SIGNATURES));
    for (const [, name = "", parameters, answers = "", waits, permission] of rows) {
      const signature = CORE_ABI_SIGNATURES[name] ?? expect.fail(name);
      const stated = signature.parameters.map((parameter) => `${parameter.kind} ${parameter.name}`).join(", ");
      expect({ name, parameters, waits, permission }).toEqual({
        name,
        parameters: stated,
        waits: signature.suspends ? "yes" : "",
        permission: signature.permission ?? "",
      });
      expect(answers.includes("i64"), name).toBe(signature.result === "i64" || name === "kv_increment");
    }
  });

  it("has the same error numbers in all places", () => {
    for (const [name, code] of Object.entries(ABI_ERROR)) {
      expect(HEADER).toContain(`#define WASMATRIX_${name.toUpperCase()} (${code})`);
      expect(REFERENCE).toContain(`| ${code} | \`WASMATRIX_${name.toUpperCase()}\` |`);
    }
  });
});
