/** Calling a function that a guest exports. */
import type { CoreValue } from "./codec.ts";
import { type BorrowScope, enter, enteredInstances, type InstanceState, leave } from "./component-state.ts";
import type { Crossing } from "./crossing.ts";
import type { FunctionCodec } from "./function-codec.ts";
import { type CoreFunction, promisingExport } from "./jspi.ts";
import { Trap } from "./trap.ts";

/** What `canon lift` makes. */
export type LiftedFunction = {
  readonly codec: FunctionCodec;
  readonly cx: Crossing;
  readonly core: CoreFunction;
  readonly postReturn: CoreFunction | undefined;
  readonly maySuspend: boolean;
};

/**
 * A function that takes and gives WIT values. It gives a promise exactly if `maySuspend`. `caller`: the component
 * instance that calls it, `undefined` for the host. Throws, or rejects with, what ended the guest.
 */
export function bindLifted(
  lifted: LiftedFunction,
  caller: InstanceState | undefined,
): (...values: unknown[]) => unknown {
  const entered = enteredInstances(lifted.cx.instance, caller);
  return lifted.maySuspend ? suspendingCall(lifted, entered, caller === undefined) : plainCall(lifted, entered);
}

function plainCall(lifted: LiftedFunction, entered: readonly InstanceState[]): (...values: unknown[]) => unknown {
  const { cx, core } = lifted;
  const { component } = cx;
  return (...values) => {
    enter(component, entered);
    try {
      const scope = begin(lifted);
      const returned = core(...lifted.codec.lowerParams(cx, values));
      const result = finish(lifted, scope, returned);
      leave(component, entered);
      return result;
    } catch (error) {
      throw component.fail(error);
    }
  };
}

function suspendingCall(
  lifted: LiftedFunction,
  entered: readonly InstanceState[],
  isOutermost: boolean,
): (...values: unknown[]) => Promise<unknown> {
  const { cx } = lifted;
  const { component } = cx;
  const core = promisingExport(lifted.core);

  async function carryOut(values: readonly unknown[]): Promise<unknown> {
    enter(component, entered);
    try {
      const scope = begin(lifted);
      const result = finish(lifted, scope, await core(...lifted.codec.lowerParams(cx, values)));
      leave(component, entered);
      return result;
    } catch (error) {
      throw component.fail(error);
    }
  }

  if (!isOutermost) return (...values) => carryOut(values);
  // Guest code may wait for good when its instance is disposed of, so its caller is told from outside.
  return (...values) =>
    new Promise((resolve, reject) => {
      const before = component.abandon;
      component.abandon ??= reject;
      const settle = (how: () => void): void => {
        component.abandon = before;
        how();
      };
      carryOut(values).then(
        (result) => settle(() => resolve(result)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
}

function begin({ cx, codec }: LiftedFunction): BorrowScope | undefined {
  cx.refresh();
  const scope = codec.hasBorrows ? { borrows: 0 } : undefined;
  cx.instance.scope = scope;
  return scope;
}

function finish({ cx, codec, postReturn }: LiftedFunction, scope: BorrowScope | undefined, returned: unknown): unknown {
  const { component, instance } = cx;
  if (component.failure !== undefined) throw component.failure.error;
  cx.refresh();
  component.beginLift();
  const result = codec.liftResult(cx, returned);
  if (postReturn !== undefined) {
    const given: CoreValue[] = typeof returned === "number" || typeof returned === "bigint" ? [returned] : [];
    instance.mayLeave = false;
    postReturn(...given);
    instance.mayLeave = true;
  }
  if (scope !== undefined && scope.borrows > 0)
    throw new Trap(`it kept ${scope.borrows} borrowed handles beyond the call that lent them`);
  return result;
}
