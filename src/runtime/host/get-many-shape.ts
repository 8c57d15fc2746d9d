/** Finds out which of two shapes a component expects of `wasi:keyvalue/batch.get-many`. Pure. */
import type { ComponentPlan, TypeIndex, WitType } from "../component/component-plan.ts";
import { KEYVALUE_DRAFT2, type GetManyShape } from "./wasi-keyvalue.ts";

/** Looks at the type that the component declares: `result<list<option<…>>, error>`, or a list of anything else. */
export function getManyShapeOf(plan: Pick<ComponentPlan, "hostFunctions" | "functionTypes" | "types">): GetManyShape {
  const declared = plan.hostFunctions.find(
    (host) => host.name === "get-many" && host.interface === `wasi:keyvalue/batch@${KEYVALUE_DRAFT2}`,
  );
  const typeAt = (index: TypeIndex | undefined): WitType | undefined =>
    index === undefined ? undefined : plan.types[index];
  const result = declared === undefined ? undefined : typeAt(plan.functionTypes[declared.type]?.result);
  const list = result?.kind === "result" ? typeAt(result.ok) : undefined;
  const element = list?.kind === "list" ? typeAt(list.element) : undefined;
  return element?.kind === "tuple" ? "pair-of-option" : "option-of-pair";
}
