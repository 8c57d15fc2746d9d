/** What core modules call: lowered functions, and the built-ins for resources. */
import { uncatchableError } from "../uncatchable.ts";
import type { CoreValue } from "./codec.ts";
import type { ComponentState, InstanceState } from "./component-state.ts";
import type { Crossing } from "./crossing.ts";
import type { FunctionCodec } from "./function-codec.ts";
import { Handle } from "./handle-table.ts";
import { type CoreFunction, suspendingImport } from "./jspi.ts";
import { integer } from "./scalar-codec.ts";
import { Trap } from "./trap.ts";

/** A core import: a function, or one that the engine suspends. */
export type Trampoline = CoreFunction | object;

/** Makes what a core module calls for `callee`, which takes and gives WIT values. */
export function lowerTrampoline(
  cx: Crossing,
  codec: FunctionCodec,
  callee: { readonly call: (...args: unknown[]) => unknown; readonly maySuspend: boolean },
): Trampoline {
  const { component, instance } = cx;
  const { call, maySuspend } = callee;

  function fromCore(...flat: CoreValue[]): unknown {
    assertMayLeave(instance);
    try {
      cx.refresh();
      component.beginLift();
      const result = call(...codec.liftParams(cx, flat));
      if (maySuspend && result instanceof Promise)
        return resumed(component, result, (value) => {
          cx.refresh();
          return codec.lowerResult(cx, flat, value);
        });
      cx.refresh();
      return codec.lowerResult(cx, flat, result);
    } catch (error) {
      throw unwinding(component, error);
    }
  }

  return maySuspend ? suspendingImport(fromCore) : fromCore;
}

/** `resource.new`: the guest gives a number of its own a handle. */
export function newTrampoline(instance: InstanceState, resource: number): Trampoline {
  return (representation) => {
    assertMayLeave(instance);
    try {
      return instance.handles.add(new Handle(resource, Number(representation), true, undefined));
    } catch (error) {
      throw unwinding(instance.component, error);
    }
  };
}

/** `resource.rep`: the other way. */
export function representationTrampoline(instance: InstanceState, resource: number): Trampoline {
  return (number) => {
    try {
      return instance.handles.get(integer(number) >>> 0, resource).representation;
    } catch (error) {
      throw unwinding(instance.component, error);
    }
  };
}

/** How handles are let go of. */
export type Dropping = {
  readonly resource: number;
  /** Cleans up after an owned resource; may give a promise only if `maySuspend`. */
  readonly destroy: (representation: unknown) => unknown;
  readonly maySuspend: boolean;
};

/** `resource.drop`. */
export function dropTrampoline(instance: InstanceState, { resource, destroy, maySuspend }: Dropping): Trampoline {
  const { component } = instance;
  function drop(number: CoreValue): unknown {
    assertMayLeave(instance);
    try {
      const handle = instance.handles.remove(integer(number) >>> 0, resource);
      if (!handle.isOwn) {
        if (handle.scope !== undefined) handle.scope.borrows -= 1;
        return undefined;
      }
      const done = destroy(handle.representation);
      return done instanceof Promise ? resumed(component, done, () => undefined) : undefined;
    } catch (error) {
      throw unwinding(component, error);
    }
  }
  return maySuspend ? suspendingImport(drop) : drop;
}

function assertMayLeave(instance: InstanceState): void {
  const { component } = instance;
  if (component.failure !== undefined) throw unwinding(component, component.failure.error);
  if (!instance.mayLeave)
    throw unwinding(component, new Trap("it calls an import while it allocates or cleans up for its host"));
}

/** What is thrown through guest code, which cannot catch it. The caller on the other side throws what really happened. */
function unwinding(component: ComponentState, error: unknown): Error {
  component.fail(error);
  return uncatchableError("the call ends here", error);
}

/** What a suspended guest waits for. If it was disposed of meanwhile its code does not go on. */
async function resumed(
  component: ComponentState,
  pending: Promise<unknown>,
  lower: (value: unknown) => CoreValue | undefined,
): Promise<CoreValue | undefined> {
  try {
    const value = await pending;
    if (component.failure !== undefined) throw component.failure.error;
    return lower(value);
  } catch (error) {
    throw unwinding(component, error);
  }
}
