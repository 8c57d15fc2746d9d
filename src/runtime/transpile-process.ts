/** Entry of the process that transpiles one component and goes away, with all the memory that it took. */
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { transpiledFromFiles, type TranspiledComponent } from "./component-glue.ts";

/** What the process is sent. */
export type TranspileOrder = { readonly component: Uint8Array };

/** What it answers: the result, or jco's complaint. */
export type TranspileAnswer =
  | { readonly kind: "transpiled"; readonly result: TranspiledComponent }
  | { readonly kind: "refused"; readonly message: string };

const NAME = "guest";

async function transpile({ component }: TranspileOrder): Promise<TranspileAnswer> {
  try {
    const { files } = await transpileBytes(component, {
      name: NAME,
      instantiation: "sync",
      wasiShim: false,
      emitTypescriptDeclarations: false,
      tlaCompat: false,
      nodejsCompat: false,
      base64Cutoff: 0,
    });
    return { kind: "transpiled", result: transpiledFromFiles(files, NAME) };
  } catch (error) {
    return { kind: "refused", message: messageFrom(error) };
  }
}

/** jco rejects with errors, with `{ payload }`, and with text of many lines; the first is the sentence. */
function messageFrom(error: unknown): string {
  const payload = typeof error === "object" && error !== null && "payload" in error ? error.payload : error;
  const text = payload instanceof Error ? payload.message : String(payload);
  return text.trim().split("\n")[0] ?? "";
}

process.once("message", (order: TranspileOrder) => {
  void transpile(order).then((answer) => process.send?.(answer));
});
// The agent is gone: nobody waits for the answer.
process.once("disconnect", () => process.exit());
