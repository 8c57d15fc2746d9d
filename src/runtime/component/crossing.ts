/** A guest's memory, and one way in and out of it: what a `canon` definition's options say. */
import type { StringEncoding } from "./component-plan.ts";
import type { ComponentState, InstanceState } from "./component-state.ts";
import { Trap } from "./trap.ts";

/** A guest's linear memory, with views on it that are made anew only when it has grown. */
export class GuestMemory {
  bytes: Uint8Array;
  view: DataView;
  /** The same bytes once more, for text. */
  text: Buffer;
  readonly #memory: WebAssembly.Memory;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.text = Buffer.from(memory.buffer);
  }

  /** To be called whenever guest code may have run: growing detaches views, which then have no length. */
  refresh(): void {
    if (this.bytes.length !== 0) return;
    const { buffer } = this.#memory;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.text = Buffer.from(buffer);
  }
}

/** A guest's allocator: old place, old size, alignment, new size. */
export type Realloc = (old: number, oldBytes: number, align: number, bytes: number) => number;

/** What codecs need of an instance. */
export class Crossing {
  readonly component: ComponentState;
  readonly instance: InstanceState;
  readonly encoding: StringEncoding;
  readonly #memory: GuestMemory | undefined;
  readonly #realloc: Realloc | undefined;

  constructor(parts: {
    readonly instance: InstanceState;
    readonly encoding: StringEncoding;
    readonly memory: GuestMemory | undefined;
    readonly realloc: Realloc | undefined;
  }) {
    this.component = parts.instance.component;
    this.instance = parts.instance;
    this.encoding = parts.encoding;
    this.#memory = parts.memory;
    this.#realloc = parts.realloc;
  }

  /** A plan names a memory wherever one is needed. */
  get memory(): GuestMemory {
    if (this.#memory === undefined) throw new Error("the plan names no memory where its types need one");
    return this.#memory;
  }

  refresh(): void {
    this.#memory?.refresh();
  }

  /** Room in the guest's memory. Throws a `Trap` if its allocator gives a place outside it. */
  allocate(align: number, bytes: number): number {
    if (this.#realloc === undefined) throw new Error("the plan names no realloc where its types need one");
    this.instance.mayLeave = false;
    const ptr = this.#realloc(0, 0, align, bytes) >>> 0;
    this.instance.mayLeave = true;
    this.memory.refresh();
    this.assertRange(ptr, align, bytes);
    return ptr;
  }

  /** Throws a `Trap` if the range is not aligned or not inside the memory. */
  assertRange(ptr: number, align: number, bytes: number): void {
    if ((ptr & (align - 1)) !== 0) throw new Trap(`address ${ptr} is not a multiple of ${align}`);
    if (ptr + bytes > this.memory.bytes.length) throw new Trap(`${bytes} bytes at ${ptr} lie outside its memory`);
  }
}
