/** A resource that a guest made, in the hands of JavaScript. */
import type { ComponentState } from "./component-state.ts";

/** How the guest cleans up after a resource; gives a promise if that may suspend. */
export type Destroy = (resource: number, representation: number) => void | Promise<void>;

/**
 * It is passed back to functions of the same copy of the component, as `self` of its methods for example. One that is
 * owned must be dropped, or passed on as `own`, which gives it away; one that is borrowed ends with the call that lent it.
 */
export class GuestResource {
  readonly component: ComponentState;
  /** Index into the plan's resources. */
  readonly resource: number;
  readonly representation: number;
  #isOwned: boolean;
  readonly #destroy: Destroy;

  constructor(parts: {
    readonly component: ComponentState;
    readonly resource: number;
    readonly representation: number;
    readonly isOwned: boolean;
    readonly destroy: Destroy;
  }) {
    this.component = parts.component;
    this.resource = parts.resource;
    this.representation = parts.representation;
    this.#isOwned = parts.isOwned;
    this.#destroy = parts.destroy;
  }

  get isOwned(): boolean {
    return this.#isOwned;
  }

  /** Gives it away; throws a `TypeError` if it is not owned any more. */
  take(): number {
    if (!this.#isOwned) throw new TypeError("a resource is passed on that is not owned");
    this.#isOwned = false;
    return this.representation;
  }

  /** Has the guest clean up after it. Does nothing for one that is borrowed, dropped or passed on. Throws what the guest's destructor traps with. */
  drop(): void | Promise<void> {
    if (!this.#isOwned) return;
    return this.#destroy(this.resource, this.take());
  }
}
