/** Bare modules on the core import ABI, instantiated as the runtime does it: suspending imports, promising exports. */
import { createCoreAbi } from "../../../src/runtime/abi/core-abi.ts";
import { abiNumbers, CORE_ABI_SIGNATURES } from "../../../src/runtime/abi/abi-signatures.ts";
import {
  promisingExport,
  suspendingImport,
  type CoreFunction,
  type PromisingFunction,
} from "../../../src/runtime/component/jspi.ts";
import type { GuestLine } from "../../../src/runtime/host/guest-line.ts";
import { wasmFromWat } from "../wat.ts";

/** A module that hands every function of the ABI on, so that a test can call them with any arguments on a real memory. */
export type AbiModule = {
  readonly memory: WebAssembly.Memory;
  call(name: string, ...args: readonly (number | bigint)[]): Promise<number | bigint>;
  /** Puts text or bytes at an address; gives the address and the length. */
  put(address: number, content: string | Uint8Array): readonly [number, number];
  text(address: number, bytes: number): string;
  /** `last_error`, as text. */
  lastError(): Promise<string>;
};

const FORWARDING = wasmFromWat(`(module
  ${Object.entries(CORE_ABI_SIGNATURES)
    .map(([name, signature]) => {
      const parameters = abiNumbers(signature);
      const type = `${parameters.map((kind) => `(param ${kind})`).join(" ")} (result ${signature.result})`;
      return `(import "wasmatrix" "${name}" (func $${name} ${type}))`;
    })
    .join("\n")}
  (memory (export "memory") 2)
  ${Object.entries(CORE_ABI_SIGNATURES)
    .map(([name, signature]) => {
      const parameters = abiNumbers(signature);
      const type = `${parameters.map((kind) => `(param ${kind})`).join(" ")} (result ${signature.result})`;
      return `(func (export "${name}") ${type} ${parameters.map((_, index) => `local.get ${index}`).join(" ")} call $${name})`;
    })
    .join("\n")})`);

/** Instantiates it on a line. */
export async function abiModule(line: GuestLine): Promise<AbiModule> {
  const { exports, memory } = await instantiateOnAbi(FORWARDING, line);
  const put = (address: number, content: string | Uint8Array): readonly [number, number] => {
    const bytes = Buffer.from(content);
    new Uint8Array(memory.buffer).set(bytes, address);
    return [address, bytes.length];
  };
  const text = (address: number, bytes: number): string =>
    Buffer.from(memory.buffer, address, bytes).toString("latin1");
  const call: AbiModule["call"] = async (name, ...args) => {
    const result = await exports(name)(...args);
    if (typeof result !== "number" && typeof result !== "bigint") throw new Error(`${name} gave ${typeof result}`);
    return result;
  };
  return {
    memory,
    call,
    put,
    text,
    lastError: async () => text(100_000, Number(await call("last_error", 100_000, 10_000))),
  };
}

/** Instantiates any bare module; `exports` finds an exported function, promising. */
export async function instantiateOnAbi(
  module: Uint8Array<ArrayBuffer>,
  line: GuestLine,
): Promise<{ exports(name: string): PromisingFunction; readonly memory: WebAssembly.Memory }> {
  const abi = createCoreAbi(line);
  const imports = Object.fromEntries(
    Object.entries(abi.imports).map(([name, imported]) => [
      name,
      abi.suspending.includes(name) ? suspendingImport(imported) : imported,
    ]),
  );
  const { instance } = await WebAssembly.instantiate(module, { wasmatrix: imports as WebAssembly.ModuleImports });
  const { memory } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new Error("the module exports no memory");
  abi.attachMemory(memory);
  return {
    memory,
    exports(name) {
      const found = instance.exports[name];
      if (typeof found !== "function") throw new Error(`the module exports no function ${name}`);
      return promisingExport(found as CoreFunction);
    },
  };
}
