/**
 * The seam between the component binder and whatever hosts components: how WIT values look in JavaScript, and what a
 * host interface is.
 *
 * | WIT | JavaScript |
 * |---|---|
 * | bool | boolean |
 * | s8 to u32, f32, f64 | number |
 * | s64, u64 | bigint |
 * | char, string | string |
 * | list<u8> | Uint8Array, which belongs to whoever receives it |
 * | any other list | array |
 * | record | object, keyed by the fields' WIT names (kebab-case) |
 * | tuple | array |
 * | variant | `{ tag, val }`; `val` is `undefined` for a case without payload |
 * | enum | the case's name |
 * | flags | array of the names that are set |
 * | option<T> | `undefined` or T; if T is itself an option: `undefined` or `{ some: T }` |
 * | result<T, E> | `{ tag: "ok", val }` or `{ tag: "err", val }`, also as a function's result: nothing is thrown |
 * | own<R>, borrow<R> | of a host interface: the host's own object; of the guest: a `GuestResource` |
 */

/** `result<T, E>`. */
export type WitResult<T, E> = { readonly tag: "ok"; readonly val: T } | { readonly tag: "err"; readonly val: E };

/**
 * A host function. It is called with lifted values of the WIT types that the component declares, so its parameters may
 * be typed as such; what it throws is a trap in the guest (with `HandleLimit` and `GuestExit` kept as they are).
 * It may return a promise only if its interface names it in `suspending`.
 */
export type HostFunction = (...args: never[]) => unknown;

/** A kind of resource that the host makes. */
export type HostResource = {
  /** Called once when the guest drops its last handle, and for what it still held when the instance is disposed of; must not throw. */
  readonly drop?: (object: never) => void;
};

/** One interface that components may import. */
export type HostInterface = {
  /** By WIT names: `get-arguments`, `[method]input-stream.read`, `[static]fields.from-list`, `[constructor]fields`. */
  readonly functions: Readonly<Record<string, HostFunction>>;
  /** Functions that may return a promise; while it is pending the guest is suspended and its thread free. */
  readonly suspending?: readonly string[];
  readonly resources?: Readonly<Record<string, HostResource>>;
};

/** Host interfaces by their names without version, such as `wasi:io/streams`. */
export type HostInterfaces = Readonly<Record<string, HostInterface>>;
