/** How the functions of preview 1 look. */

/** A function as WebAssembly calls it: i32 come as signed numbers, i64 as signed bigints; it gives an error number. */
export type HostFunction = (...values: never[]) => number | Promise<number>;

/** Functions by their names. */
export type HostFunctions = Readonly<Record<string, HostFunction>>;
