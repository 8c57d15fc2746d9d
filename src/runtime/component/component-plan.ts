/**
 * What is left of a component after it has been read and checked: plain data that can be stored as JSON and posted to
 * a thread. Nested components are flattened, so instantiating is one pass over `steps`.
 */

/** Changes whenever a stored plan would be misread by this code, or be made differently from the same bytes. */
export const PLAN_VERSION = 1;

/** Types of core WebAssembly that cross between a component and its host. */
export type CoreType = "i32" | "i64" | "f32" | "f64";

/** WIT types without parts. */
export type PrimitiveKind =
  | "bool"
  | "s8"
  | "u8"
  | "s16"
  | "u16"
  | "s32"
  | "u32"
  | "s64"
  | "u64"
  | "f32"
  | "f64"
  | "char"
  | "string";

/** Index into `ComponentPlan.types`. A type's parts always have smaller indices than the type. */
export type TypeIndex = number;

/** Something with a name and a type: a field, a parameter, a case. */
export type Labelled = { readonly name: string; readonly type: TypeIndex };

/** One WIT type. */
export type WitType =
  | { readonly kind: PrimitiveKind }
  /** `length`: exactly so many elements, which lie in place. */
  | { readonly kind: "list"; readonly element: TypeIndex; readonly length?: number }
  | { readonly kind: "record"; readonly fields: readonly Labelled[] }
  | { readonly kind: "tuple"; readonly items: readonly TypeIndex[] }
  | { readonly kind: "variant"; readonly cases: readonly { readonly name: string; readonly type?: TypeIndex }[] }
  | { readonly kind: "enum"; readonly names: readonly string[] }
  | { readonly kind: "flags"; readonly names: readonly string[] }
  | { readonly kind: "option"; readonly some: TypeIndex }
  | { readonly kind: "result"; readonly ok?: TypeIndex; readonly err?: TypeIndex }
  /** `resource` is an index into `ComponentPlan.resources`. */
  | { readonly kind: "own" | "borrow"; readonly resource: number };

/** Parameters and result of a function. */
export type WitFunction = { readonly params: readonly Labelled[]; readonly result?: TypeIndex };

/** Where a core function, memory, table or global comes from. */
export type CoreRef =
  | { readonly kind: "export"; readonly instance: number; readonly name: string }
  /** What the `lower` or `resource-*` step of that number made. */
  | { readonly kind: "trampoline"; readonly index: number };

/** A component function that can be called or lowered. */
export type FunctionRef =
  /** What the `lift` step of that number made. */
  | { readonly kind: "lifted"; readonly index: number }
  /** Index into `hostFunctions`. */
  | { readonly kind: "host"; readonly index: number };

/** How a guest wants its strings. */
export type StringEncoding = "utf8" | "utf16" | "latin1+utf16";

/** Canonical options, shared by the functions that have the same. */
export type CanonOptions = {
  /** The component instance that lifts or lowers. */
  readonly instance: number;
  readonly encoding: StringEncoding;
  readonly memory?: CoreRef;
  readonly realloc?: CoreRef;
};

/** One step of instantiation. Trampolines, lifted functions and core instances are numbered in the order of their steps. */
export type PlanStep =
  | {
      readonly kind: "core-instance";
      /** Index into the modules beside the plan. */
      readonly module: number;
      readonly imports: readonly { readonly module: string; readonly name: string; readonly from: CoreRef }[];
    }
  | { readonly kind: "lower"; readonly callee: FunctionRef; readonly type: number; readonly options: number }
  | { readonly kind: "resource-new"; readonly resource: number; readonly instance: number }
  | { readonly kind: "resource-drop"; readonly resource: number; readonly instance: number }
  | { readonly kind: "resource-rep"; readonly resource: number; readonly instance: number }
  | {
      readonly kind: "lift";
      readonly core: CoreRef;
      readonly type: number;
      readonly options: number;
      readonly postReturn?: CoreRef;
    };

/** A kind of resource. */
export type PlanResource =
  | { readonly kind: "host"; readonly interface: string; readonly name: string }
  | { readonly kind: "guest"; readonly instance: number; readonly destructor?: CoreRef };

/** A function that the component imports. */
export type HostFunctionPlan = {
  /** As the component spells it, with its version; `$root` for functions of the world itself. */
  readonly interface: string;
  readonly name: string;
  /** Index into `functionTypes`. */
  readonly type: number;
  /** Whether the component calls it; what is only declared need not be there. */
  readonly isUsed: boolean;
};

/** A type with the name that an interface gives it. */
export type NamedType =
  | { readonly kind: "value"; readonly name: string; readonly type: TypeIndex }
  | { readonly kind: "resource"; readonly name: string; readonly resource: number };

/** An interface that a component imports or exports. */
export type PlanInterface = {
  /** As the component spells it, with its version; `$root` for what the world itself has. */
  readonly name: string;
  readonly types: readonly NamedType[];
  /** `type` is an index into `functionTypes`. */
  readonly functions: readonly { readonly name: string; readonly type: number; readonly from: FunctionRef }[];
};

/** See the top of the file. */
export type ComponentPlan = {
  readonly version: typeof PLAN_VERSION;
  readonly types: readonly WitType[];
  readonly functionTypes: readonly WitFunction[];
  readonly resources: readonly PlanResource[];
  readonly hostFunctions: readonly HostFunctionPlan[];
  /** Component instances that lift, lower or define resources; `parent` is an index into this list. */
  readonly instances: readonly { readonly parent?: number }[];
  readonly options: readonly CanonOptions[];
  readonly steps: readonly PlanStep[];
  /** How many core instances are made of each module; each has its own memory and tables. */
  readonly moduleUses: readonly number[];
  readonly imports: readonly PlanInterface[];
  readonly exports: readonly PlanInterface[];
};

/** The interface name for functions that belong to the world itself. */
export const WORLD_INTERFACE = "$root";
