/** The state of one copy of a component, and of each component instance inside it. */
import { HandleLimit } from "../handle-limit.ts";
import type { Destroy } from "./guest-resource.ts";
import { HandleTable } from "./handle-table.ts";
import { Trap } from "./trap.ts";

/** What one copy of a component may take. */
export type ComponentLimits = {
  /** Handles of resources at a time, all component instances inside it together. */
  readonly openHandlesMax: number;
  /** About what one call may make the host hold, in bytes: a list may name the same piece of memory a thousand times. */
  readonly liftMaxBytes: number;
};

/** One copy of a component. */
export class ComponentState {
  /** The first thing that went wrong; from then on no guest code is entered. */
  failure: { readonly error: unknown } | undefined;
  /** Grows with each call; see `liftBorrow`. */
  callNumber = 0;
  isDisposed = false;
  /** Drops a resource that the guest made, for JavaScript that holds it; set as soon as it is instantiated. */
  destroy: Destroy = () => {
    throw new Error("a resource is dropped before its component is there");
  };
  /** Settles the one call that is suspended, if there is one. */
  abandon: ((error: Error) => void) | undefined;
  #openHandles = 0;
  #liftLeftBytes = 0;
  readonly #limits: ComponentLimits;

  /** Which instance defines which of the plan's resources. */
  readonly #definedBy: ReadonlyMap<number, InstanceState>;

  constructor(limits: ComponentLimits, definedBy: ReadonlyMap<number, InstanceState>) {
    this.#limits = limits;
    this.#definedBy = definedBy;
  }

  isDefinedBy(resource: number, instance: InstanceState): boolean {
    return this.#definedBy.get(resource) === instance;
  }

  get openHandles(): number {
    return this.#openHandles;
  }

  /** Keeps the first failure and gives it back, to be thrown. */
  fail(error: unknown): unknown {
    this.failure ??= { error };
    return this.failure.error;
  }

  /** A call begins to read what the guest passes. */
  beginLift(): void {
    this.callNumber += 1;
    this.#liftLeftBytes = this.#limits.liftMaxBytes;
  }

  /** Throws a `Trap` when the call makes the host hold too much. */
  charge(bytes: number): void {
    this.#liftLeftBytes -= bytes;
    if (this.#liftLeftBytes < 0)
      throw new Trap(`it passed more than ${this.#limits.liftMaxBytes} bytes to the host in one call`);
  }

  /** Throws a `HandleLimit` when the guest has too many. */
  handleOpened(): void {
    if (this.#openHandles >= this.#limits.openHandlesMax) throw new HandleLimit(this.#limits.openHandlesMax);
    this.#openHandles += 1;
  }

  handleClosed(): void {
    this.#openHandles -= 1;
  }
}

/** Borrowed handles that a call was given and has not dropped yet. */
export type BorrowScope = { borrows: number };

/** One component instance: the outermost component, or one nested in it. */
export class InstanceState {
  readonly component: ComponentState;
  /** It and those around it, from the inside out. */
  readonly lineage: readonly InstanceState[];
  readonly handles: HandleTable;
  /** Whether its code may call imports now; not while it allocates or cleans up for the host. */
  mayLeave = true;
  /** Whether a call may begin; not while one is going on. */
  mayEnter = true;
  /** Of the call whose parameters are being passed. */
  scope: BorrowScope | undefined;

  constructor(component: ComponentState, parent: InstanceState | undefined) {
    this.component = component;
    this.lineage = parent === undefined ? [this] : [this, ...parent.lineage];
    this.handles = new HandleTable(component);
  }
}

/** The instances that a call from `caller` to `callee` enters: those around `callee` that are not around `caller`. */
export function enteredInstances(callee: InstanceState, caller: InstanceState | undefined): readonly InstanceState[] {
  return caller === undefined
    ? callee.lineage
    : callee.lineage.filter((instance) => !caller.lineage.includes(instance));
}

/** Begins a call. Throws the failure that ended the component, or a `Trap` if one of the instances has a call already. */
export function enter(component: ComponentState, instances: readonly InstanceState[]): void {
  if (component.failure !== undefined) throw component.failure.error;
  for (const instance of instances) if (!instance.mayEnter) throw new Trap("it is called while it has a call going on");
  for (const instance of instances) instance.mayEnter = false;
}

/** Ends a call. Throws what failed during it, in case the guest caught that. */
export function leave(component: ComponentState, instances: readonly InstanceState[]): void {
  if (component.failure !== undefined) throw component.failure.error;
  for (const instance of instances) instance.mayEnter = true;
}
