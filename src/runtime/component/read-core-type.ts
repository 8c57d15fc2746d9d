/** Passing over core types inside component types: nothing here needs them, but what follows must be found. */
import { readLimits, readValueType } from "../core-module.ts";
import { malformed, type WasmReader } from "../wasm-reader.ts";
import { type ReadBudget, unsupported } from "./read-budget.ts";

/** Passes over one core type: a function or module type. Throws `MODULE_KIND_UNSUPPORTED` for others. */
export function skipCoreType(reader: WasmReader, budget: ReadBudget): void {
  budget.item();
  const form = reader.byte();
  switch (form) {
    case 0x60:
      reader.vector(() => readValueType(reader));
      reader.vector(() => readValueType(reader));
      return;
    case 0x50:
      budget.nested(() => reader.vector(() => skipModuleDeclaration(reader, budget)));
      return;
    default:
      throw unsupported(`core type 0x${form.toString(16)}`);
  }
}

function skipModuleDeclaration(reader: WasmReader, budget: ReadBudget): void {
  const code = reader.byte();
  switch (code) {
    case 0x00:
      reader.name();
      reader.name();
      skipCoreExtern(reader);
      return;
    case 0x01:
      skipCoreType(reader, budget);
      return;
    case 0x02:
      reader.byte();
      reader.byte();
      reader.u32();
      reader.u32();
      return;
    case 0x03:
      reader.name();
      skipCoreExtern(reader);
      return;
    default:
      throw malformed(`declaration ${code} of a module type is unknown (before byte ${reader.offset})`);
  }
}

function skipCoreExtern(reader: WasmReader): void {
  const kind = reader.byte();
  switch (kind) {
    case 0x00:
      reader.u32();
      return;
    case 0x01:
      readValueType(reader);
      readLimits(reader);
      return;
    case 0x02:
      readLimits(reader);
      return;
    case 0x03:
      readValueType(reader);
      reader.byte();
      return;
    case 0x04:
      reader.byte();
      reader.u32();
      return;
    default:
      throw malformed(`kind ${kind} of a core import or export is unknown (before byte ${reader.offset})`);
  }
}
