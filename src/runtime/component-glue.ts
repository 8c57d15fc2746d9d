/** From jco's output to what a guest's thread can evaluate. */

/** A component after transpilation: JavaScript glue, and the core modules that it asks for by file name. */
export type TranspiledComponent = {
  /** Body of a function that returns jco's `instantiate`. */
  readonly glue: string;
  readonly modules: ReadonlyMap<string, Uint8Array>;
};

const ENTRY = "export function instantiate(";

/**
 * Sorts jco's files. The glue is a module with two exports; as a function body it needs no file and no URL. Its debug
 * calls, which build an object and read the environment at every ABI call, are cut short: that saves a third of a call.
 */
export function transpiledFromFiles(files: Readonly<Record<string, Uint8Array>>, name: string): TranspiledComponent {
  const source = new TextDecoder().decode(files[`${name}.js`]);
  if (source.split(ENTRY).length !== 2) throw new Error("jco's output has changed: it does not export instantiate once");
  const [code = ""] = source.replace(ENTRY, "function instantiate(").split(/^export const _util\b/m);
  const glue = `${code.replaceAll(/^(\s*)_debugLog\(/gm, "$1false && _debugLog(")}\nreturn instantiate;`;
  if (/^(import|export)\b/m.test(glue)) throw new Error("jco's output has changed: it imports or exports something else");
  return { glue, modules: new Map(Object.entries(files).filter(([file]) => file.endsWith(".wasm"))) };
}
