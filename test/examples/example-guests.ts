/** Starts the committed example modules on the real runtime, with a key-value store behind the real permission check. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fault, Reason } from "../../src/fault.ts";
import { runKvCall } from "../../src/providers/kv/kv-call.ts";
import type { KvProvider } from "../../src/providers/kv/kv.ts";
import { checkKvCall } from "../../src/providers/kv/check-kv-call.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import type { Guest, GuestHost, GuestRequest } from "../../src/runtime/runtime.ts";
import { recordingHost, type Written } from "../runtime/guest-starts.ts";

/** The bytes of `examples/NAME/NAME.wasm`. */
export function exampleModule(name: string): Uint8Array {
  return readFileSync(join(import.meta.dirname, "..", "..", "examples", name, `${name}.wasm`));
}

/** A host that lets a guest reach `kv` as far as `grants` permit, and keeps its output. */
export function kvHost(kv: KvProvider, grants: readonly Grant[]): GuestHost & { readonly written: Written } {
  return {
    ...recordingHost(),
    async kv(call) {
      const verdict = checkKvCall(grants, call);
      if (verdict.kind === "denied")
        throw fault(Reason.CAPABILITY_DENIED, `Cannot ${call.kind} in bucket "${verdict.bucket}": not granted`);
      return runKvCall(kv, call);
    },
  };
}

/** What `--allow-kv` grants. */
export const ALLOW_KV: readonly Grant[] = [
  {
    providerId: "kv",
    type: "kv",
    bucket: "default",
    permissions: ["kv:read", "kv:write", "kv:delete"],
    deniedPermissions: [],
  },
];

/** A request; by default a GET without headers and body. */
export function request(pathWithQuery: string, options: Partial<GuestRequest> = {}): GuestRequest {
  return {
    method: "GET",
    scheme: "http",
    authority: "example.localhost",
    pathWithQuery,
    headers: [],
    body: undefined,
    ...options,
  };
}

/** A response that has been read to its end. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
};

/** Sends a request and reads the whole response. */
export async function ask(guest: Guest, pathWithQuery: string, options: Partial<GuestRequest> = {}): Promise<Answer> {
  const { status, headers, body } = await guest.fetch(request(pathWithQuery, options));
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return { status, headers: Object.fromEntries(headers), text: Buffer.concat(chunks).toString("utf8") };
}
