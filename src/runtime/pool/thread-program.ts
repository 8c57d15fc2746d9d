/** Compiled code as it is posted to threads. */
import type { ComponentPlan } from "../component/component-plan.ts";

/** Compiled code, ready to be instantiated in any thread. */
export type ThreadProgram =
  | {
      readonly kind: "core";
      readonly module: WebAssembly.Module;
    }
  | {
      readonly kind: "component";
      readonly plan: ComponentPlan;
      /** In the order of the plan. */
      readonly modules: readonly WebAssembly.Module[];
    };
