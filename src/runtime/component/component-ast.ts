/** A component as its binary says it, definition by definition, before any index is looked up. */
import type { PrimitiveKind, StringEncoding } from "./component-plan.ts";

/** What index spaces hold. */
export type Sort =
  | "core-func"
  | "core-table"
  | "core-memory"
  | "core-global"
  | "core-tag"
  | "core-type"
  | "core-module"
  | "core-instance"
  | "func"
  | "value"
  | "type"
  | "component"
  | "instance";

/** An entry of an index space. */
export type SortIndex = { readonly sort: Sort; readonly index: number };

/** An entry under a name. */
export type NamedIndex = SortIndex & { readonly name: string };

/** The name of an import or export; `implements` is the interface behind a plain name. */
export type ExternName = { readonly name: string; readonly implements?: string };

/** What an import or export is declared to be; indices are into the type index space. */
export type ExternType =
  | { readonly sort: "core-module" | "func" | "component" | "instance"; readonly type: number }
  | { readonly sort: "type"; readonly equals?: number }
  | { readonly sort: "value" };

/** A type within a type: a primitive one, or an index into the type index space. */
export type TypeUse = PrimitiveKind | number;

/** A labelled part whose type is not yet looked up. */
export type LabelledUse = { readonly name: string; readonly type: TypeUse };

/** A function type whose types are not yet looked up. */
export type FunctionAst = { readonly params: readonly LabelledUse[]; readonly result?: TypeUse };

/** A value type. */
export type ValueTypeAst =
  | { readonly kind: "primitive"; readonly primitive: PrimitiveKind }
  | { readonly kind: "list"; readonly element: TypeUse; readonly length?: number }
  | { readonly kind: "map"; readonly key: TypeUse; readonly value: TypeUse }
  | { readonly kind: "record"; readonly fields: readonly LabelledUse[] }
  | { readonly kind: "tuple"; readonly items: readonly TypeUse[] }
  | { readonly kind: "variant"; readonly cases: readonly { readonly name: string; readonly type?: TypeUse }[] }
  | { readonly kind: "enum" | "flags"; readonly names: readonly string[] }
  | { readonly kind: "option"; readonly some: TypeUse }
  | { readonly kind: "result"; readonly ok?: TypeUse; readonly err?: TypeUse }
  | { readonly kind: "own" | "borrow"; readonly resource: number };

/** Any type definition. */
export type TypeAst =
  | { readonly kind: "value"; readonly value: ValueTypeAst }
  | { readonly kind: "func"; readonly func: FunctionAst }
  | { readonly kind: "instance"; readonly declarations: readonly Declaration[] }
  /** Only ever matters when components are imported, which is refused. */
  | { readonly kind: "component" }
  | { readonly kind: "resource"; readonly destructor?: number };

/** One line of an instance type. */
export type Declaration =
  | Extract<Definition, { kind: "core-type" | "type" | "alias-export" | "alias-outer" }>
  | ExportDeclaration;

/** An export that an instance type promises. */
export type ExportDeclaration = { readonly kind: "declare"; readonly name: string; readonly type: ExternType };

/** Options of `canon lift` and `canon lower`. */
export type CanonOptionsAst = {
  readonly encoding: StringEncoding;
  readonly memory?: number;
  readonly realloc?: number;
  readonly postReturn?: number;
};

/** One definition of a component. */
export type Definition =
  /** `module` is an index into the modules of the whole binary. */
  | { readonly kind: "core-module"; readonly module: number }
  | {
      readonly kind: "core-instantiate";
      readonly module: number;
      readonly args: readonly { readonly name: string; readonly instance: number }[];
    }
  | { readonly kind: "core-bundle"; readonly exports: readonly NamedIndex[] }
  | { readonly kind: "core-type" }
  | { readonly kind: "component"; readonly component: ComponentAst }
  | { readonly kind: "instantiate"; readonly component: number; readonly args: readonly NamedIndex[] }
  | { readonly kind: "bundle"; readonly exports: readonly NamedIndex[] }
  | { readonly kind: "alias-export"; readonly sort: Sort; readonly instance: number; readonly name: string }
  | { readonly kind: "alias-core-export"; readonly sort: Sort; readonly instance: number; readonly name: string }
  | { readonly kind: "alias-outer"; readonly sort: Sort; readonly count: number; readonly index: number }
  | { readonly kind: "type"; readonly type: TypeAst }
  | { readonly kind: "lift"; readonly core: number; readonly options: CanonOptionsAst; readonly type: number }
  | { readonly kind: "lower"; readonly func: number; readonly options: CanonOptionsAst }
  | { readonly kind: "resource-new" | "resource-drop" | "resource-rep"; readonly type: number }
  | { readonly kind: "import"; readonly name: ExternName; readonly type: ExternType }
  | { readonly kind: "export"; readonly name: ExternName; readonly what: SortIndex };

/** One component; nested ones are definitions of it. */
export type ComponentAst = { readonly definitions: readonly Definition[] };
