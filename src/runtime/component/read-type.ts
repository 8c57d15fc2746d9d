/** Reading type definitions. */
import { malformed, type WasmReader } from "../wasm-reader.ts";
import type { Declaration, FunctionAst, LabelledUse, TypeAst, TypeUse, ValueTypeAst } from "./component-ast.ts";
import type { PrimitiveKind } from "./component-plan.ts";
import { readAlias } from "./read-alias.ts";
import { skipCoreType } from "./read-core-type.ts";
import { asynchronous, type ReadBudget, unsupported } from "./read-budget.ts";
import { assertDistinct, readExternName, readExternType, readLabel } from "./read-extern.ts";

const PRIMITIVES: Readonly<Record<number, PrimitiveKind>> = {
  0x7f: "bool",
  0x7e: "s8",
  0x7d: "u8",
  0x7c: "s16",
  0x7b: "u16",
  0x7a: "s32",
  0x79: "u32",
  0x78: "s64",
  0x77: "u64",
  0x76: "f32",
  0x75: "f64",
  0x74: "char",
  0x73: "string",
};
const ERROR_CONTEXT = 0x64;
const FLAGS_MAX = 32;

/** Reads one entry of a type section. */
export function readType(reader: WasmReader, budget: ReadBudget): TypeAst {
  budget.item();
  switch (reader.peek()) {
    case 0x40:
      reader.byte();
      return { kind: "func", func: readFunction(reader, budget) };
    case 0x43:
      throw asynchronous("an async function type");
    case 0x41:
      reader.byte();
      budget.nested(() => reader.vector(() => readComponentDeclaration(reader, budget)));
      return { kind: "component" };
    case 0x42:
      reader.byte();
      return { kind: "instance", declarations: readInstanceType(reader, budget) };
    case 0x3f:
      reader.byte();
      return readResource(reader);
    default:
      return { kind: "value", value: readValueType(reader, budget) };
  }
}

function readInstanceType(reader: WasmReader, budget: ReadBudget): readonly Declaration[] {
  return budget.nested(() => reader.vector(() => readDeclaration(reader, budget, reader.byte())));
}

function readComponentDeclaration(reader: WasmReader, budget: ReadBudget): void {
  const code = reader.byte();
  if (code !== 0x03) {
    readDeclaration(reader, budget, code);
    return;
  }
  budget.item();
  readExternName(reader);
  readExternType(reader);
}

function readDeclaration(reader: WasmReader, budget: ReadBudget, code: number): Declaration {
  budget.item();
  switch (code) {
    case 0x00:
      skipCoreType(reader, budget);
      return { kind: "core-type" };
    case 0x01:
      return { kind: "type", type: readType(reader, budget) };
    case 0x02: {
      const alias = readAlias(reader);
      if (alias.kind === "alias-core-export")
        throw malformed(`a type aliases a core export (before byte ${reader.offset})`);
      return alias;
    }
    case 0x04:
      return { kind: "declare", name: readExternName(reader).name, type: readExternType(reader) };
    default:
      throw malformed(`declaration ${code} of a type is unknown (before byte ${reader.offset})`);
  }
}

function readResource(reader: WasmReader): TypeAst {
  const representation = reader.byte();
  if (representation !== 0x7f) throw unsupported("a resource that is not represented by an i32");
  const destructor = readOptional(reader, () => reader.u32());
  return destructor === undefined ? { kind: "resource" } : { kind: "resource", destructor };
}

function readFunction(reader: WasmReader, budget: ReadBudget): FunctionAst {
  const params = readLabelled(reader, budget);
  const form = reader.byte();
  if (form === 0x00) return { params, result: readUse(reader, budget) };
  if (form !== 0x01 || reader.byte() !== 0x00)
    throw malformed(`a function has named results (before byte ${reader.offset})`);
  return { params };
}

function readLabelled(reader: WasmReader, budget: ReadBudget): LabelledUse[] {
  const parts = reader.vector(() => ({ name: readLabel(reader), type: readUse(reader, budget) }));
  assertDistinct(
    parts.map(({ name }) => name),
    reader,
  );
  return parts;
}

/** A type within a type. Indices are positive numbers of 33 bits in the format; none that is valid differs as one of 32. */
function readUse(reader: WasmReader, budget: ReadBudget): TypeUse {
  budget.item();
  const code = reader.peek();
  if (code < 0x40 || code >= 0x80) return reader.u32();
  return readPrimitive(reader);
}

function readPrimitive(reader: WasmReader): PrimitiveKind {
  const code = reader.byte();
  if (code === ERROR_CONTEXT) throw asynchronous("error-context");
  const primitive = PRIMITIVES[code];
  if (primitive === undefined) throw malformed(`type 0x${code.toString(16)} is unknown (before byte ${reader.offset})`);
  return primitive;
}

function readOptional<T>(reader: WasmReader, read: () => T): T | undefined {
  const code = reader.byte();
  if (code > 1) throw malformed(`byte ${code} stands where 0 or 1 must (before byte ${reader.offset})`);
  return code === 1 ? read() : undefined;
}

function readValueType(reader: WasmReader, budget: ReadBudget): ValueTypeAst {
  const code = reader.byte();
  const use = (): TypeUse => readUse(reader, budget);
  switch (code) {
    case 0x72:
      return { kind: "record", fields: nonEmpty(readLabelled(reader, budget), reader) };
    case 0x71:
      return { kind: "variant", cases: readCases(reader, budget) };
    case 0x70:
      return { kind: "list", element: use() };
    case 0x67:
      return { kind: "list", element: use(), length: positive(reader.u32(), reader) };
    case 0x63:
      return { kind: "map", key: use(), value: use() };
    case 0x6f:
      return { kind: "tuple", items: nonEmpty(reader.vector(use), reader) };
    case 0x6e: {
      const names = readNames(reader, budget);
      if (names.length > FLAGS_MAX)
        throw malformed(`flags have more than ${FLAGS_MAX} names (before byte ${reader.offset})`);
      return { kind: "flags", names };
    }
    case 0x6d:
      return { kind: "enum", names: readNames(reader, budget) };
    case 0x6b:
      return { kind: "option", some: use() };
    case 0x6a: {
      const ok = readOptional(reader, use);
      const err = readOptional(reader, use);
      return { kind: "result", ...(ok === undefined ? {} : { ok }), ...(err === undefined ? {} : { err }) };
    }
    case 0x69:
      return { kind: "own", resource: reader.u32() };
    case 0x68:
      return { kind: "borrow", resource: reader.u32() };
    case 0x66:
      throw asynchronous("stream");
    case 0x65:
      throw asynchronous("future");
    default:
      reader.offset -= 1;
      return { kind: "primitive", primitive: readPrimitive(reader) };
  }
}

function readCases(reader: WasmReader, budget: ReadBudget): { name: string; type?: TypeUse }[] {
  const cases = reader.vector(() => {
    budget.item();
    const name = readLabel(reader);
    const type = readOptional(reader, () => readUse(reader, budget));
    if (reader.byte() !== 0x00) throw malformed(`a case refines another (before byte ${reader.offset})`);
    return type === undefined ? { name } : { name, type };
  });
  assertDistinct(
    cases.map(({ name }) => name),
    reader,
  );
  return nonEmpty(cases, reader);
}

function readNames(reader: WasmReader, budget: ReadBudget): string[] {
  const names = reader.vector(() => {
    budget.item();
    return readLabel(reader);
  });
  assertDistinct(names, reader);
  return nonEmpty(names, reader);
}

function nonEmpty<T>(parts: T[], reader: WasmReader): T[] {
  if (parts.length === 0) throw malformed(`a type has no parts (before byte ${reader.offset})`);
  return parts;
}

function positive(count: number, reader: WasmReader): number {
  if (count === 0) throw malformed(`a list has a fixed length of 0 (before byte ${reader.offset})`);
  return count;
}
