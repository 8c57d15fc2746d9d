/** Start orders for tests: everything has a default, and a test names what it is about. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fault, Reason } from "../../src/fault.ts";
import type { GuestHost, GuestLimits, GuestStart, Runtime } from "../../src/runtime/runtime.ts";
import { createRuntime, type RuntimeOptions } from "../../src/runtime/worker-runtime.ts";

/** Limits that no test meets by accident. */
export const WIDE_LIMITS: GuestLimits = {
  memoryMaxBytes: 64 * 1024 * 1024,
  callTimeoutMs: 30_000,
  commandTimeoutMs: undefined,
  startTimeoutMs: 30_000,
  queuedCallsMax: 16,
  requestBodyMaxBytes: 16 * 1024 * 1024,
  responseBodyMaxBytes: 16 * 1024 * 1024,
};

/** What a guest has written. */
export type Written = { stdout: string; stderr: string };

/** A host without capabilities that keeps output as text. */
export function recordingHost(
  written: Written = { stdout: "", stderr: "" },
): GuestHost & { readonly written: Written } {
  return {
    written,
    kv: async (call) => {
      throw fault(Reason.CAPABILITY_DENIED, `Cannot ${call.kind} in bucket "${call.bucket}": no assignment allows it`);
    },
    output(stream, bytes) {
      written[stream] += Buffer.from(bytes).toString("latin1");
    },
  };
}

/** The digest of a module. */
export function digestOf(module: Uint8Array): string {
  return `sha256:${createHash("sha256").update(module).digest("hex")}`;
}

/** A start order for `module`. */
export function guestStart(
  module: Uint8Array,
  options: Partial<Omit<GuestStart, "limits">> & { limits?: Partial<GuestLimits> } = {},
): GuestStart {
  return {
    id: "a1",
    digest: digestOf(module),
    readModule: async () => module,
    args: [],
    env: {},
    stdin: new Uint8Array(),
    host: recordingHost(),
    ...options,
    limits: { ...WIDE_LIMITS, ...options.limits },
  };
}

const folders: string[] = [];
const runtimes: Runtime[] = [];

afterAll(async () => {
  await Promise.all(runtimes.map((runtime) => runtime.close()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A runtime; it is closed after the tests of the file. */
export function testRuntime(options: Partial<RuntimeOptions> = {}): Runtime {
  const runtime = createRuntime({ cacheDir: temporaryFolder(), ...options });
  runtimes.push(runtime);
  return runtime;
}

/** An empty folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wasmatrix-test-"));
  folders.push(folder);
  return folder;
}
