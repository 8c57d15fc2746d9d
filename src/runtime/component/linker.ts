/** Carries out the steps of a plan. */
import type { CoreValue } from "./codec.ts";
import { codecTable } from "./codec-table.ts";
import {
  type ComponentPlan,
  type CoreRef,
  type FunctionRef,
  type PlanStep,
  WORLD_INTERFACE,
} from "./component-plan.ts";
import { type ComponentState, enter, enteredInstances, type InstanceState, leave } from "./component-state.ts";
import { Crossing, GuestMemory } from "./crossing.ts";
import { findResource, type FoundFunction, type InterfaceLookup } from "./host-lookup.ts";
import { type CoreFunction, promisingExport } from "./jspi.ts";
import { bindLifted, type LiftedFunction } from "./lifted-function.ts";
import { type SuspendMap, suspendMap } from "./may-suspend.ts";
import {
  dropTrampoline,
  lowerTrampoline,
  newTrampoline,
  representationTrampoline,
  type Trampoline,
} from "./trampoline.ts";

/** A function that a component exports. Values are as `component-value.ts` says. */
export type GuestFunction = {
  /** Throws, or rejects with, what ended the guest: a `WebAssembly.RuntimeError`, a `Trap`, a `HandleLimit`, or what a host function threw. After that every call throws the same. */
  readonly call: (...values: unknown[]) => unknown;
  /** Whether `call` gives a promise; it does so always or never. */
  readonly maySuspend: boolean;
  /** Index into the plan's `functionTypes`. */
  readonly type: number;
};

/** What a linker works on. */
export type LinkerDeps = {
  readonly plan: ComponentPlan;
  readonly modules: readonly WebAssembly.Module[];
  readonly lookUp: InterfaceLookup;
  /** What serves each of the plan's host functions. */
  readonly hosts: readonly (FoundFunction | undefined)[];
  readonly component: ComponentState;
  readonly instances: readonly InstanceState[];
};

/** See the top of the file. */
export interface Linker {
  run(step: PlanStep): void;
  /** When all steps have run: what the component exports. */
  functions(): ReadonlyMap<string, GuestFunction>;
  /** Lets go of all host objects that handles hold. */
  dropHandles(): void;
}

/** Makes the linker of one copy. */
export function createLinker({ plan, modules, lookUp, hosts, component, instances }: LinkerDeps): Linker {
  const codecs = codecTable(plan);
  const suspends: SuspendMap = suspendMap(plan, hosts);
  const coreInstances: WebAssembly.Exports[] = [];
  const trampolines: Trampoline[] = [];
  const lifted: LiftedFunction[] = [];
  const crossings: (Crossing | undefined)[] = [];
  const memories = new Map<unknown, GuestMemory>();

  function coreItem(ref: CoreRef): unknown {
    return ref.kind === "trampoline" ? trampolines[ref.index] : coreInstances[ref.instance]?.[ref.name];
  }

  function coreFunction(ref: CoreRef): CoreFunction {
    const item = coreItem(ref);
    if (isCoreFunction(item)) return item;
    throw new TypeError("a core module does not export a function that the plan names");
  }

  function memoryOf(ref: CoreRef): GuestMemory {
    const item = coreItem(ref);
    const before = memories.get(item);
    if (before !== undefined) return before;
    if (!(item instanceof WebAssembly.Memory))
      throw new TypeError("a core module does not export a memory that the plan names");
    const memory = new GuestMemory(item);
    memories.set(item, memory);
    return memory;
  }

  function crossing(index: number): Crossing {
    const before = crossings[index];
    if (before !== undefined) return before;
    const options = at(plan.options, index);
    const made = new Crossing({
      instance: at(instances, options.instance),
      encoding: options.encoding,
      memory: options.memory === undefined ? undefined : memoryOf(options.memory),
      realloc: options.realloc === undefined ? undefined : numeric(coreFunction(options.realloc)),
    });
    crossings[index] = made;
    return made;
  }

  function instantiated({ module, imports }: Extract<PlanStep, { kind: "core-instance" }>): WebAssembly.Exports {
    const given: Record<string, WebAssembly.ModuleImports> = Object.create(null);
    for (const { module: from, name, from: ref } of imports) {
      const item = coreItem(ref);
      // Without a prototype, so that no name means anything but what is put there.
      if (isImportValue(item)) (given[from] ??= Object.create(null))[name] = item;
    }
    return new WebAssembly.Instance(at(modules, module), given).exports;
  }

  function callee(ref: FunctionRef, caller: InstanceState | undefined): FoundFunction {
    if (ref.kind === "lifted")
      return { call: bindLifted(at(lifted, ref.index), caller), maySuspend: suspends.function(ref) };
    const found = hosts[ref.index];
    if (found === undefined) throw new Error("a host function is called that was not looked for");
    return found;
  }

  function destroyer(resource: number, caller: InstanceState | undefined): (representation: unknown) => unknown {
    const item = at(plan.resources, resource);
    if (item.kind === "host") {
      const drop = findResource(lookUp, item.interface, item.name)?.drop;
      return isDrop(drop) ? (object) => drop(object) : () => undefined;
    }
    if (item.destructor === undefined) return () => undefined;
    const core = coreFunction(item.destructor);
    const entered = enteredInstances(at(instances, item.instance), caller);
    const call = suspends.drop(resource) ? promisingExport(core) : core;
    return (representation) => destroyed(component, entered, () => call(Number(representation)));
  }

  component.destroy = (resource, representation) => {
    const done = destroyer(resource, undefined)(representation);
    return done instanceof Promise ? done : undefined;
  };

  return {
    run(step) {
      switch (step.kind) {
        case "core-instance":
          coreInstances.push(instantiated(step));
          return;
        case "lower": {
          const cx = crossing(step.options);
          trampolines.push(lowerTrampoline(cx, codecs.functionCodec(step.type), callee(step.callee, cx.instance)));
          return;
        }
        case "lift":
          lifted.push({
            codec: codecs.functionCodec(step.type),
            cx: crossing(step.options),
            core: coreFunction(step.core),
            postReturn: step.postReturn === undefined ? undefined : coreFunction(step.postReturn),
            maySuspend: suspends.function({ kind: "lifted", index: lifted.length }),
          });
          return;
        case "resource-new":
          trampolines.push(newTrampoline(at(instances, step.instance), step.resource));
          return;
        case "resource-rep":
          trampolines.push(representationTrampoline(at(instances, step.instance), step.resource));
          return;
        case "resource-drop": {
          const instance = at(instances, step.instance);
          const { resource } = step;
          const destroy = destroyer(resource, instance);
          trampolines.push(dropTrampoline(instance, { resource, destroy, maySuspend: suspends.drop(resource) }));
        }
      }
    },
    functions() {
      const functions = new Map<string, GuestFunction>();
      for (const { name: iface, functions: exported } of plan.exports)
        for (const { name, type, from } of exported) {
          const bound = { ...callee(from, undefined), type };
          if (iface === WORLD_INTERFACE) functions.set(name, bound);
          else functions.set(`${iface}#${name}`, bound);
          const bare = `${iface.split("@")[0]}#${name}`;
          if (iface !== WORLD_INTERFACE && !functions.has(bare)) functions.set(bare, bound);
        }
      return functions;
    },
    dropHandles() {
      for (const { handles } of instances)
        for (const handle of handles.drain())
          if (handle.isOwn && plan.resources[handle.resource]?.kind === "host")
            destroyer(handle.resource, undefined)(handle.representation);
    },
  };
}

/** Runs a destructor as a call of its own. */
function destroyed(component: ComponentState, entered: readonly InstanceState[], call: () => unknown): unknown {
  enter(component, entered);
  try {
    const done = call();
    if (!(done instanceof Promise)) {
      leave(component, entered);
      return undefined;
    }
    return done.then(
      () => leave(component, entered),
      (error: unknown) => {
        throw component.fail(error);
      },
    );
  } catch (error) {
    throw component.fail(error);
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`the plan refers to number ${index} of ${items.length}`);
  return item;
}

function numeric(core: CoreFunction): (...args: CoreValue[]) => number {
  return (...args) => Number(core(...args));
}

/** Whatever it is: the engine checks that it fits, and objects that suspend are unknown to the type library. */
function isImportValue(item: unknown): item is WebAssembly.ImportValue {
  return item !== undefined;
}

function isCoreFunction(item: unknown): item is CoreFunction {
  return typeof item === "function";
}

function isDrop(drop: unknown): drop is (object: unknown) => void {
  return typeof drop === "function";
}
