/** Collects a module that arrives in pieces, and refuses it as soon as it is known to be wrong. */
import { fault, Reason } from "../../fault.ts";
import { assertDigest, assertWasm, digestOf, joinChunks, type Bytes } from "./module-bytes.ts";

/** A whole module and its digest. */
export type HeldModule = { readonly digest: string; readonly bytes: Bytes };

/** Takes the pieces of one module. */
export interface ModuleCollector {
  /** Throws `MODULE_TOO_LARGE`, or `MODULE_NOT_WASM` once enough bytes are there to tell. */
  add(chunk: Uint8Array): void;
  /** The module. Throws `MODULE_NOT_WASM` or `MODULE_DIGEST_MISMATCH`. */
  finish(wantedDigest: string): Promise<HeldModule>;
}

/** Makes a collector of one module of at most `maxBytes`. `what` is how errors name it. */
export function createModuleCollector(what: string, maxBytes: number): ModuleCollector {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  let checked = false;
  return {
    add(chunk) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge(what, maxBytes, sizeBytes);
      chunks.push(chunk);
      if (checked || sizeBytes < 4) return;
      assertWasm(joinChunks(chunks, sizeBytes), what);
      checked = true;
    },
    async finish(wantedDigest) {
      const bytes = joinChunks(chunks, sizeBytes);
      assertWasm(bytes, what);
      const digest = await digestOf(bytes);
      assertDigest(wantedDigest, digest, what);
      return { digest, bytes };
    },
  };
}

/** The error for a module over the limit; `sizeBytes` is what is known of its size. */
export function tooLarge(what: string, maxBytes: number, sizeBytes: number): Error {
  const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(bytes % 1024 ** 2 === 0 ? 0 : 1)} MiB`;
  return fault(
    Reason.MODULE_TOO_LARGE,
    `Cannot take ${what}: it exceeds ${mebibytes(maxBytes)} (got ${mebibytes(sizeBytes)} or more)`,
  );
}
