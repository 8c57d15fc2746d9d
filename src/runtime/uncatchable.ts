/**
 * Errors that no guest can catch. WebAssembly's `catch_all` catches every JavaScript error, but not what the engine
 * throws for a trap; it tells the two apart by a mark on the error object, so an object that came out of a real trap
 * passes through every handler of a guest when it is thrown again. The tests in `uncatchable.test.ts` hold this.
 */

/** `(module (func (export "t") unreachable))` */
const TRAP_MODULE = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x74, 0, 0, 0x0a, 5, 1, 3, 0, 0, 0x0b,
]);

let trap: (() => unknown) | undefined;

/** Makes an error that unwinds guest code whatever handlers it has; thrown by a host function, or what its promise rejects with. `cause` is what it stands for. */
export function uncatchableError(message: string, cause?: unknown): WebAssembly.RuntimeError {
  trap ??= trapFunction();
  try {
    trap();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) {
      error.message = message;
      error.cause = cause;
      // The trap's own trace says nothing, and each would be kept with its frames.
      error.stack = `${error.name}: ${message}`;
      return error;
    }
    throw error;
  }
  throw new Error("a function that traps has returned");
}

function trapFunction(): () => unknown {
  const exported = new WebAssembly.Instance(new WebAssembly.Module(TRAP_MODULE)).exports["t"];
  if (typeof exported !== "function") throw new Error("the module that traps has no function");
  return () => exported();
}
