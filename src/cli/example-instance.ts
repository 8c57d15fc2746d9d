/** The example service that `dev --example` starts. */
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { sleep } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { StartInstanceRequestSchema } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { RestartMode, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import { answered } from "./answered.ts";
import type { CliIo } from "./cli-io.ts";
import type { ControlPlaneSession } from "./control-plane-session.ts";
import { assignmentsFromRules } from "./permissions/assignment-plan.ts";
import { kvRules } from "./permissions/permission-rule.ts";
import { listInstances } from "./list-instances.ts";
import { chooseModule } from "./module-choice.ts";
import { packageUrl } from "./package-version.ts";
import { createProgressBar } from "./progress-bar.ts";
import { createInstanceStarter } from "./start-instance.ts";
import { waitUntilRunning } from "./wait-for-instance.ts";

/** The name under which the example answers. */
export const EXAMPLE_NAME = "hello";

const FOLDER = new URL("examples/http-counter/", packageUrl);
const POLL_MS = 100;
const SNAPSHOT_MAX_MS = 15_000;
const RUNNING_MAX_MS = 20_000;

/** The example that lives already, as after a second start, or else a new one; running, unless it takes more than 20 s. */
export async function ensureExample(io: CliIo, session: ControlPlaneSession): Promise<Instance> {
  const instance = (await liveExample(io, session)) ?? (await startExample(io, session));
  return waitUntilRunning({ io, session, instance }, RUNNING_MAX_MS);
}

async function startExample(io: CliIo, session: ControlPlaneSession): Promise<Instance> {
  const module = await chooseModule(await exampleFile(), { digest: "", signal: io.signal });
  const totalBytes = module.kind === "bytes" ? module.bytes.length : 0;
  const createProgress = (): ReturnType<typeof createProgressBar> =>
    createProgressBar({ stream: io.stderr, clock: io.clock, title: "Uploading the example", totalBytes });
  const request = create(StartInstanceRequestSchema, {
    // Fresh each time: an example that was stopped on purpose would be answered for ever to a key that stays.
    idempotencyKey: io.entropy.hex(16),
    uniqueName: true,
    spec: {
      name: EXAMPLE_NAME,
      assignments: assignmentsFromRules(kvRules("allow", { bucket: "", permissions: [], providerId: "" })),
      restartPolicy: { mode: RestartMode.ALWAYS },
    },
  });
  return answered(await createInstanceStarter(session, { module, createProgress })(request));
}

/** Looks for a live one once the node has said all that it runs. */
async function liveExample(io: CliIo, session: ControlPlaneSession): Promise<Instance | undefined> {
  const startMs = io.clock.nowMs();
  for (;;) {
    const { instances, rebuilding } = await listInstances(session, { name: EXAMPLE_NAME });
    if (instances[0] !== undefined || !rebuilding || io.clock.nowMs() - startMs > SNAPSHOT_MAX_MS) return instances[0];
    await sleep(io.clock, POLL_MS, io.signal);
    io.signal.throwIfAborted();
  }
}

async function exampleFile(): Promise<string> {
  const missing = (cause?: unknown): Error =>
    fault(Reason.MODULE_NOT_FOUND, `Cannot start the example: there is no .wasm file in ${fileURLToPath(FOLDER)}`, {
      cause,
    });
  const files = await readdir(FOLDER).catch((error: unknown) => Promise.reject(missing(error)));
  const file = files.find((name) => name.endsWith(".wasm"));
  if (file === undefined) throw missing();
  return fileURLToPath(new URL(file, FOLDER));
}
