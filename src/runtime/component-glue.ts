/** From jco's output to what a guest's thread can evaluate. */

/** A component after transpilation: JavaScript glue, and the core modules that it asks for by file name. */
export type TranspiledComponent = {
  /** Body of a function of `TextDecoder` and `lifting` (see `guest/lift-budget.ts`) that returns jco's `instantiate`. */
  readonly glue: string;
  readonly modules: ReadonlyMap<string, Uint8Array>;
};

const ENTRY = "export function instantiate(";

/** Sorts jco's files. The glue is a module with two exports; as a function body it needs no file and no URL. */
export function transpiledFromFiles(files: Readonly<Record<string, Uint8Array>>, name: string): TranspiledComponent {
  const source = new TextDecoder().decode(files[`${name}.js`]);
  if (source.split(ENTRY).length !== 2)
    throw new Error("jco's output has changed: it does not export instantiate once");
  const [code = ""] = source.replace(ENTRY, "function instantiate(").split(/^export const _util\b/m);
  const glue = `${budgeted(withoutDebugCalls(code))}\nreturn instantiate;`;
  if (/^(import|export)\b/m.test(glue))
    throw new Error("jco's output has changed: it imports or exports something else");
  return { glue, modules: new Map(Object.entries(files).filter(([file]) => file.endsWith(".wasm"))) };
}

/** Debug calls build an object and read the environment at every ABI call: a third of a call's time. */
function withoutDebugCalls(code: string): string {
  return code.replaceAll(/^(\s*)_debugLog\(/gm, "$1false && _debugLog(");
}

/** What a guest passes to the host is copied out of its memory, and one piece of memory may be passed many times: every copy is counted. */
function budgeted(code: string): string {
  const begins = "function _lowerImportBackwardsCompat(args) {";
  if (code.includes("imports[") && code.split(begins).length !== 2)
    throw new Error("jco's output has changed: imports are not called as expected");
  return code
    .replace(begins, `${begins} lifting.begin();`)
    .replaceAll(/\b(memory\d+)\.buffer\.slice\(/g, "lifting.copy($1.buffer, ")
    .replaceAll(/^(\s*)(result\d+)\.push\(/gm, "$1lifting.element(); $2.push(");
}
