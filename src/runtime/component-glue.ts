/** From jco's output to what a guest's thread can evaluate. */

/** A component after transpilation: JavaScript glue, and the core modules that it asks for by file name. */
export type TranspiledComponent = {
  /** Body of a function of `TextDecoder` and `lifting` (see `guest/lift-budget.ts`) that returns jco's `instantiate`. */
  readonly glue: string;
  readonly modules: ReadonlyMap<string, Uint8Array>;
};

/** A hello world needs 0.4 million, a JavaScript engine as a component about one. The guest's thread must hold it all. */
const GLUE_MAX_CHARACTERS = 8 * 1024 * 1024;

const ENTRY = "export function instantiate(";

/** Sorts jco's files. The glue is a module with two exports; as a function body it needs no file and no URL. */
export function transpiledFromFiles(files: Readonly<Record<string, Uint8Array>>, name: string): TranspiledComponent {
  const source = new TextDecoder().decode(files[`${name}.js`]);
  if (source.split(ENTRY).length !== 2)
    throw new Error("jco's output has changed: it does not export instantiate once");
  const [code = ""] = source.replace(ENTRY, "function instantiate(").split(/^export const _util\b/m);
  const glue = `${budgeted(withoutDebugCalls(code))}\nreturn instantiate;`;
  if (glue.length > GLUE_MAX_CHARACTERS)
    throw new Error(`it needs ${glue.length} characters of glue (at most ${GLUE_MAX_CHARACTERS})`);
  if (/^(import|export)\b/m.test(glue))
    throw new Error("jco's output has changed: it imports or exports something else");
  return { glue, modules: new Map(Object.entries(files).filter(([file]) => file.endsWith(".wasm"))) };
}

/** Debug calls build an object and read the environment at every ABI call: a third of a call's time. */
function withoutDebugCalls(code: string): string {
  return code.replaceAll(/^(\s*)_debugLog\(/gm, "$1false && _debugLog(");
}

/**
 * Puts the limits of `guest/lift-budget.ts` in. What a guest passes to the host is copied out of its memory, and one
 * piece of memory may be passed many times; a handle that a guest holds keeps an object alive here. Neither may take
 * the thread's heap, because a thread that runs out of it can end the whole process.
 */
function budgeted(code: string): string {
  const lower = "function _lowerImportBackwardsCompat(args) {";
  const remove = "function rscTableRemove(table, handle) {";
  if (code.includes("imports[") && (code.split(lower).length !== 2 || code.split(remove).length !== 2)) {
    throw new Error("jco's output has changed: imports are not called, or handles not dropped, as expected");
  }
  return (
    code
      .replace(lower, `${lower} lifting.begin();`)
      .replace(remove, `${remove} lifting.closed();`)
      .replaceAll(/^(\s*function rscTableCreate\w+\([^)]*\) \{)/gm, "$1 lifting.opened();")
      // A set that nothing reads and that grows with every handle ever made.
      .replaceAll(/^\s*table\._createdReps\.add\(rep\);/gm, "")
      .replaceAll(/\b(memory\d+)\.buffer\.slice\(/g, "lifting.copy($1.buffer, ")
      .replaceAll(/^(\s*)(result\d+)\.push\(/gm, "$1lifting.element(); $2.push(")
  );
}
