/** Reading `canon` definitions: how functions cross between a component's core modules and the outside. */
import { malformed, type WasmReader } from "../wasm-reader.ts";
import type { CanonOptionsAst, Definition } from "./component-ast.ts";
import type { StringEncoding } from "./component-plan.ts";
import { asynchronous, unsupported } from "./read-budget.ts";

const ENCODINGS: readonly StringEncoding[] = ["utf8", "utf16", "latin1+utf16"];

/** Built-ins that only asynchronous components use, by their codes. */
const ASYNCHRONOUS: Readonly<Record<number, string>> = {
  0x05: "task.cancel",
  0x06: "subtask.cancel",
  0x07: "resource.drop async",
  0x08: "task.backpressure",
  0x09: "task.return",
  0x0a: "context.get",
  0x0b: "context.set",
  0x0c: "thread.yield",
  0x0d: "subtask.drop",
  0x0e: "stream.new",
  0x0f: "stream.read",
  0x10: "stream.write",
  0x11: "stream.cancel-read",
  0x12: "stream.cancel-write",
  0x13: "stream.drop-readable",
  0x14: "stream.drop-writable",
  0x15: "future.new",
  0x16: "future.read",
  0x17: "future.write",
  0x18: "future.cancel-read",
  0x19: "future.cancel-write",
  0x1a: "future.drop-readable",
  0x1b: "future.drop-writable",
  0x1c: "error-context.new",
  0x1d: "error-context.debug-message",
  0x1e: "error-context.drop",
  0x1f: "waitable-set.new",
  0x20: "waitable-set.wait",
  0x21: "waitable-set.poll",
  0x22: "waitable-set.drop",
  0x23: "waitable.join",
  0x24: "backpressure.inc",
  0x25: "backpressure.dec",
};

/** Reads one entry of a canon section. */
export function readCanon(reader: WasmReader): Definition {
  const code = reader.byte();
  switch (code) {
    case 0x00: {
      assertFunctionSort(reader);
      const core = reader.u32();
      const options = readOptions(reader);
      return { kind: "lift", core, options, type: reader.u32() };
    }
    case 0x01:
      assertFunctionSort(reader);
      return { kind: "lower", func: reader.u32(), options: readOptions(reader) };
    case 0x02:
      return { kind: "resource-new", type: reader.u32() };
    case 0x03:
      return { kind: "resource-drop", type: reader.u32() };
    case 0x04:
      return { kind: "resource-rep", type: reader.u32() };
    default: {
      const name = ASYNCHRONOUS[code];
      if (name !== undefined) throw asynchronous(name);
      if ((code >= 0x26 && code <= 0x2d) || (code >= 0x40 && code <= 0x42)) throw unsupported("threads");
      throw malformed(`canonical definition ${code} is unknown (before byte ${reader.offset})`);
    }
  }
}

function assertFunctionSort(reader: WasmReader): void {
  if (reader.byte() !== 0x00) throw malformed(`a canonical definition is no function (before byte ${reader.offset})`);
}

function readOptions(reader: WasmReader): CanonOptionsAst {
  const options: { encoding?: StringEncoding; memory?: number; realloc?: number; postReturn?: number } = {};
  reader.vector(() => {
    const code = reader.byte();
    const encoding = ENCODINGS[code];
    const twice = (): Error => malformed(`a canonical option stands twice (before byte ${reader.offset})`);
    if (encoding !== undefined) {
      if (options.encoding !== undefined) throw twice();
      options.encoding = encoding;
      return;
    }
    if (code === 0x06) throw asynchronous("an async function");
    if (code === 0x07) throw asynchronous("a callback");
    const key = code === 0x03 ? "memory" : code === 0x04 ? "realloc" : code === 0x05 ? "postReturn" : undefined;
    if (key === undefined) throw unsupported(`canonical option ${code}`);
    if (options[key] !== undefined) throw twice();
    options[key] = reader.u32();
  });
  return { ...options, encoding: options.encoding ?? "utf8" };
}
