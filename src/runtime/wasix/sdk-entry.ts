/** Where @wasmer/sdk is, which is installed only where somebody runs WASIX programs. */
import { fault, Reason } from "../../fault.ts";

/** The version that was tested; others have other threads, imports and defaults. */
export const SDK_VERSION = "0.16.0";

/** The URL of the SDK's entry for Node; throws `MODULE_KIND_UNSUPPORTED` with how to get it. `resolve` is `import.meta.resolve`, or a test's. */
export function sdkEntry(
  resolve: (specifier: string) => string = (specifier) => import.meta.resolve(specifier),
): string {
  try {
    return resolve("@wasmer/sdk/node");
  } catch (cause) {
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot host module: it is a WASIX program, which needs the package @wasmer/sdk on this node; install it beside wasmatrix: npm install @wasmer/sdk@${SDK_VERSION} (its licence asks large products to show "Wasmer")`,
      { cause },
    );
  }
}
