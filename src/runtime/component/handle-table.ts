/** The handles that a component instance holds. */
import type { BorrowScope, ComponentState } from "./component-state.ts";
import { Trap } from "./trap.ts";

/** One handle. */
export class Handle {
  /** Index into the plan's resources. */
  readonly resource: number;
  /** The host's object, or the number that a guest gave its resource. */
  readonly representation: unknown;
  readonly isOwn: boolean;
  /** Of a borrowed handle: the call that must drop it before it ends. */
  readonly scope: BorrowScope | undefined;
  /** The call that it is lent to. */
  lentToCall = 0;

  constructor(resource: number, representation: unknown, isOwn: boolean, scope: BorrowScope | undefined) {
    this.resource = resource;
    this.representation = representation;
    this.isOwn = isOwn;
    this.scope = scope;
  }
}

/** Handles by number, from 1; numbers that were given back are used again, the last one first. */
export class HandleTable {
  readonly #component: ComponentState;
  readonly #handles: (Handle | undefined)[] = [undefined];
  readonly #free: number[] = [];

  constructor(component: ComponentState) {
    this.#component = component;
  }

  /** Throws a `HandleLimit`. */
  add(handle: Handle): number {
    this.#component.handleOpened();
    const free = this.#free.pop();
    if (free === undefined) return this.#handles.push(handle) - 1;
    this.#handles[free] = handle;
    return free;
  }

  /** Throws a `Trap` if there is none of that number and kind. */
  get(index: number, resource: number): Handle {
    const handle = this.#handles[index];
    if (handle === undefined) throw new Trap(`handle ${index} is not there`);
    if (handle.resource !== resource) throw new Trap(`handle ${index} is of another kind of resource`);
    return handle;
  }

  /** Takes it out. Throws as `get` does. */
  remove(index: number, resource: number): Handle {
    const handle = this.get(index, resource);
    this.#handles[index] = undefined;
    this.#free.push(index);
    this.#component.handleClosed();
    return handle;
  }

  /** Takes all out. */
  drain(): Handle[] {
    const handles = this.#handles.filter((handle) => handle !== undefined);
    this.#handles.length = 1;
    this.#free.length = 0;
    for (const _ of handles) this.#component.handleClosed();
    return handles;
  }
}
