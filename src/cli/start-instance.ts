/** Starts instances of one module, and brings the module along only where it is missing. */
import { create } from "@bufbuild/protobuf";
import { isFault, Reason } from "../fault.ts";
import {
  ModuleSourceSchema,
  type ModuleSource,
  type StartInstanceRequest,
  type StartInstanceResponse,
} from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { START_TIMEOUT_MS, type ControlPlaneSession } from "./control-plane-session.ts";
import type { ModuleChoice } from "./module-choice.ts";
import { uploadModule } from "./module-upload.ts";
import type { ProgressBar } from "./progress-bar.ts";

/** Modules up to this size travel with the request: one round trip, whether the control plane has them or not. */
export const INLINE_MAX_BYTES: number = 256 * 1024;

/** How the module is brought along. */
export type StarterOptions = {
  readonly module: ModuleChoice;
  /** Makes the bar of an upload, if one is needed. */
  readonly createProgress: () => ProgressBar;
};

/** Sends a start request, with the module filled in. */
export type InstanceStarter = (request: StartInstanceRequest) => Promise<StartInstanceResponse>;

/**
 * Makes the function that starts instances. A small module is sent along, a larger one is asked for by its digest and uploaded
 * if neither the control plane nor a node holds it; of starts at the same time, one uploads and the others wait for it.
 */
export function createInstanceStarter(session: ControlPlaneSession, options: StarterOptions): InstanceStarter {
  const { module } = options;
  const start = (request: StartInstanceRequest, source: ModuleSource): Promise<StartInstanceResponse> =>
    session.client.startInstance({ ...request, module: source }, session.call(START_TIMEOUT_MS));
  if (module.kind !== "bytes") return (request) => start(request, sourceOf(module));
  if (module.bytes.length <= INLINE_MAX_BYTES) {
    const source = create(ModuleSourceSchema, { source: { case: "inline", value: module.bytes } });
    return (request) => start(request, source);
  }
  const source = create(ModuleSourceSchema, { source: { case: "digest", value: module.digest } });
  let uploaded: Promise<void> | undefined;
  return async (request) => {
    try {
      return await start(request, source);
    } catch (error) {
      if (!isFault(error, Reason.MODULE_NOT_FOUND)) throw error;
      uploaded ??= uploadModule(session, {
        bytes: module.bytes,
        digest: module.digest,
        progress: options.createProgress(),
      });
      await uploaded;
      // The same request once more: what was refused left nothing behind.
      return start(request, source);
    }
  };
}

function sourceOf(module: Extract<ModuleChoice, { kind: "url" | "digest" }>): ModuleSource {
  return create(ModuleSourceSchema, {
    source:
      module.kind === "url"
        ? { case: "url", value: { url: module.url, digest: module.digest } }
        : { case: "digest", value: module.digest },
  });
}
