/**
 * A map that never changes, of which changed versions are cheap: a version costs as much as what it changes, not as
 * what it holds. All versions that come from one another share one native map, which is always in the state of the version that was
 * made or read last; the others know what to undo. So the newest version is as fast as a native map, and an old one that is read costs
 * the changes in between, once.
 */

/** One change: the new value, or undefined to remove the key. */
export type MapChange<K, V> = readonly [key: K, value: V | undefined];

/** See the top of the file. */
export class VersionMap<K, V> {
  /** Present in the version whose state the native map is in. */
  #native: Map<K, V> | undefined;
  /** Otherwise: the version that leads there, and what to change in it to come back to this one. */
  #nearer: VersionMap<K, V> | undefined;
  #undo: readonly MapChange<K, V>[] = [];
  readonly #size: number;

  /** Takes the map over: nobody else may change it. */
  private constructor(native: Map<K, V>) {
    this.#native = native;
    this.#size = native.size;
  }

  /** A version that holds these entries. */
  static from<K, V>(entries: Iterable<readonly [K, V]> = []): VersionMap<K, V> {
    return new VersionMap(new Map(entries));
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#present().get(key);
  }

  has(key: K): boolean {
    return this.#present().has(key);
  }

  keys(): readonly K[] {
    return [...this.#present().keys()];
  }

  values(): readonly V[] {
    return [...this.#present().values()];
  }

  /** A list of its own, so that making versions does not disturb whoever walks over it. */
  entries(): readonly (readonly [K, V])[] {
    return [...this.#present()];
  }

  [Symbol.iterator](): Iterator<readonly [K, V]> {
    return this.entries()[Symbol.iterator]();
  }

  /** The version with these changes; this one if there are none. Of several changes of one key the last counts. */
  with(changes: readonly MapChange<K, V>[]): VersionMap<K, V> {
    if (changes.length === 0) return this;
    const native = this.#present();
    this.#undo = applied(native, changes);
    const next = new VersionMap(native);
    this.#native = undefined;
    this.#nearer = next;
    return next;
  }

  /** The native map, brought into the state of this version. */
  #present(): Map<K, V> {
    if (this.#native !== undefined) return this.#native;
    const way: VersionMap<K, V>[] = [];
    // oxlint-disable-next-line typescript/no-this-alias -- the walk begins here and goes on from version to version
    let nearer: VersionMap<K, V> = this;
    while (nearer.#native === undefined) {
      if (nearer.#nearer === undefined) throw new Error("a version of a map has lost its way to the native map");
      way.push(nearer);
      nearer = nearer.#nearer;
    }
    const native = nearer.#native;
    for (const version of way.reverse()) {
      nearer.#undo = applied(native, version.#undo);
      nearer.#native = undefined;
      nearer.#nearer = version;
      version.#native = native;
      version.#nearer = undefined;
      version.#undo = [];
      nearer = version;
    }
    return native;
  }
}

/** Applies changes, and answers those that undo them. */
function applied<K, V>(native: Map<K, V>, changes: readonly MapChange<K, V>[]): readonly MapChange<K, V>[] {
  const undo: MapChange<K, V>[] = [];
  for (const [key, value] of changes) {
    undo.push([key, native.get(key)]);
    if (value === undefined) native.delete(key);
    else native.set(key, value);
  }
  return undo.reverse();
}
