/** Bounds on what is read of one component binary, at all depths together. */
import { fault, Reason } from "../../fault.ts";
import { malformed } from "../wasm-reader.ts";

/** Definitions, and parts of types. A large component has some thousands. */
export const DEFINITIONS_MAX = 100_000;

/** Contents of all sections that are read here; a JavaScript engine has 40 kB. */
export const READ_MAX_BYTES: number = 8 * 1024 * 1024;

/** Components, instance types and the like inside each other. */
export const NESTED_DEPTH_MAX = 16;

/** Core modules in one binary. */
export const MODULES_MAX = 1_000;

/** Counts down while a binary is read. */
export interface ReadBudget {
  /** Counts one definition or part of one. Throws `MODULE_MALFORMED`. */
  item(): void;
  /** Counts the contents of a section. Throws `MODULE_KIND_UNSUPPORTED`. */
  bytes(count: number): void;
  /** Runs `read` one level deeper. Throws `MODULE_MALFORMED`. */
  nested<T>(read: () => T): T;
}

/** Makes the budget for one binary. */
export function createReadBudget(): ReadBudget {
  let items = 0;
  let bytes = 0;
  let depth = 0;
  return {
    item() {
      items += 1;
      if (items > DEFINITIONS_MAX) throw malformed(`it has more than ${DEFINITIONS_MAX} definitions`);
    },
    bytes(count) {
      bytes += count;
      if (bytes > READ_MAX_BYTES)
        throw fault(
          Reason.MODULE_KIND_UNSUPPORTED,
          `Cannot host module: its definitions take more than ${READ_MAX_BYTES} bytes`,
        );
    },
    nested(read) {
      depth += 1;
      if (depth > NESTED_DEPTH_MAX) throw malformed(`components are nested more than ${NESTED_DEPTH_MAX} deep`);
      const result = read();
      depth -= 1;
      return result;
    },
  };
}

/** The refusal of what components of WASI 0.3 use. */
export function asynchronous(what: string): Error {
  return fault(
    Reason.MODULE_KIND_UNSUPPORTED,
    `Cannot host module: it uses ${what} of the asynchronous component model (WASI 0.3), hosted are components of WASI 0.2`,
  );
}

/** The refusal of what no tool for WASI 0.2 makes. */
export function unsupported(what: string): Error {
  return fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: it has ${what}, which is not hosted here`);
}
