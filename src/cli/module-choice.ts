/** What `run` is pointed at: a file, a URL, or a digest that the control plane knows. */
import { createHash } from "node:crypto";
import { fault, Reason } from "../fault.ts";
import { layerFromHeader } from "../runtime/wasm-reader.ts";
import { readFileBounded } from "./bounded-read.ts";
import { UsageError } from "./usage-error.ts";

/** A module, and where its bytes are. */
export type ModuleChoice =
  | { readonly kind: "bytes"; readonly digest: string; readonly bytes: Uint8Array<ArrayBuffer> }
  /** The control plane fetches it; `digest` is empty if any will do. */
  | { readonly kind: "url"; readonly url: string; readonly digest: string }
  | { readonly kind: "digest"; readonly digest: string };

/** Largest module that is read; control planes and nodes take no larger ones. */
export const MODULE_MAX_BYTES: number = 64 * 1024 * 1024;

/** How the choice is made. */
export type ModuleChoiceOptions = {
  /** What the module must have; empty if any will do. */
  readonly digest: string;
  readonly signal: AbortSignal;
};

/** Understands FILE-OR-URL and reads a file. Throws `UsageError`, `MODULE_TOO_LARGE`, `MODULE_DIGEST_MISMATCH` for a file with other bytes, and `MODULE_NOT_WASM` or `MODULE_MALFORMED` by its first bytes. */
export async function chooseModule(text: string, options: ModuleChoiceOptions): Promise<ModuleChoice> {
  const { digest } = options;
  if (text.startsWith("sha256:")) {
    const wanted = digestNamed(text);
    if (digest !== "" && digest !== wanted)
      throw new UsageError("Cannot start a module by its digest: --digest says another", "leave --digest out");
    return { kind: "digest", digest: wanted };
  }
  if (/^https?:\/\//i.test(text)) {
    if (URL.parse(text) === null) throw new UsageError(`Cannot use module "${text}": it is not a URL`);
    return { kind: "url", url: text, digest };
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text))
    throw new UsageError(`Cannot use module "${text}": only http and https URLs are fetched`);
  const { bytes, digest: actual } = await readModuleFile(text, { shownPath: text, signal: options.signal });
  if (digest !== "" && actual !== digest) {
    throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot start ${text}: it has digest ${actual}, not ${digest}`, {
      subject: digest,
    });
  }
  // Found out by the control plane, too, but in the middle of an upload, which ends as a broken connection.
  layerFromHeader(bytes);
  return { kind: "bytes", digest: actual, bytes };
}

/** Reads the file of a module. Throws `UsageError` that names `shownPath`, or `MODULE_TOO_LARGE`. */
export async function readModuleFile(
  path: string,
  options: { readonly shownPath: string; readonly signal: AbortSignal },
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly digest: string }> {
  const bytes = await readFileBounded(path, {
    ...options,
    what: "module",
    maxBytes: MODULE_MAX_BYTES,
    tooLarge: Reason.MODULE_TOO_LARGE,
  });
  if (bytes.length === 0) throw new UsageError(`Cannot read module ${options.shownPath}: it is empty`);
  return { bytes, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` };
}

function digestNamed(text: string): string {
  try {
    return digestFromText(text);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`Cannot use module "${text}": ${error.message}`);
    throw error;
  }
}

/** A digest as the contract wants it: `sha256:` and 64 lower-case hex digits; the prefix may be left out. Throws `UsageError`. */
export function digestFromText(text: string): string {
  const hex = text.replace(/^sha256:/, "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new UsageError("a digest is sha256: and 64 hex digits");
  return `sha256:${hex}`;
}
