/** Start orders for tests: everything has a default, and a test names what it is about. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fault, Reason } from "../../src/fault.ts";
import type { OutgoingHttpError } from "../../src/providers/http/http.ts";
import type { GuestHost, GuestLimits, GuestStart, Runtime } from "../../src/runtime/runtime.ts";
import { createRuntime, type RuntimeOptions } from "../../src/runtime/worker-runtime.ts";

/** Limits that no test meets by accident. */
export const WIDE_LIMITS: GuestLimits = {
  memoryMaxBytes: 64 * 1024 * 1024,
  callTimeoutMs: 30_000,
  commandTimeoutMs: undefined,
  startTimeoutMs: 30_000,
  cpuTimeMaxMs: undefined,
  concurrentCallsMax: 1,
  queuedCallsMax: 16,
  openHandlesMax: 100_000,
  outputMaxBytesPerMinute: 1024 * 1024 * 1024,
  outputMaxLinesPerMinute: 10_000_000,
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
    messaging: async () => {
      throw fault(Reason.CAPABILITY_DENIED, "Cannot use messaging: no assignment allows it");
    },
    http: async ({ authority }) => {
      const cause: OutgoingHttpError = { code: "HTTP-request-denied", message: "no assignment allows it" };
      throw fault(Reason.CAPABILITY_DENIED, `Cannot send a request to "${authority}": no assignment allows it`, {
        cause,
      });
    },
    output(stream, bytes) {
      written[stream] += Buffer.from(bytes).toString("latin1");
    },
    log: () => undefined,
    audit: () => undefined,
  };
}

/** The digest of a module. */
export function digestOf(module: Uint8Array): string {
  return `sha256:${createHash("sha256").update(module).digest("hex")}`;
}

/** What a test may choose of a start order. */
export type StartOptions = Partial<Omit<GuestStart, "limits">> & {
  limits?: Partial<GuestLimits>;
  /** In place of `rights` without folders. */
  env?: Readonly<Record<string, string>>;
};

/** A start order for `module`. */
export function guestStart(module: Uint8Array, { env = {}, ...options }: StartOptions = {}): GuestStart {
  return {
    id: "a1",
    digest: digestOf(module),
    readModule: async () => module,
    args: [],
    stdin: new Uint8Array(),
    config: {},
    rights: { folders: [], env },
    isolation: "shared",
    reuse: "instance",
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
