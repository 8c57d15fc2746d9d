/** JavaScript Promise Integration, which the language's type library does not know yet. */

/** A core function as JavaScript calls it, or a JavaScript function as a core module does. */
export type CoreFunction = (...args: (number | bigint)[]) => unknown;

/** A core function below which imports may suspend. */
export type PromisingFunction = (...args: (number | bigint)[]) => Promise<unknown>;

type Jspi = {
  readonly Suspending: new (imported: CoreFunction) => object;
  readonly promising: (exported: CoreFunction) => PromisingFunction;
};

/** Makes an import that may give a promise, for which the guest is then suspended. Its caller must be promising, or the engine throws a `SuspendError`. */
export function suspendingImport(imported: CoreFunction): object {
  return new engine.Suspending(imported);
}

/** Makes an export that gives a promise, and below which imports may suspend. */
export function promisingExport(exported: CoreFunction): PromisingFunction {
  return engine.promising(exported);
}

const engine: Jspi = jspiOf(WebAssembly);

function jspiOf(namespace: object): Jspi {
  if (hasJspi(namespace)) return namespace;
  throw new Error("this JavaScript engine cannot suspend WebAssembly (JSPI is missing; Node 24 and newer have it)");
}

function hasJspi(namespace: object): namespace is Jspi {
  return "Suspending" in namespace && "promising" in namespace;
}
