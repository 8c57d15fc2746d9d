/** Brings a module to the control plane in pieces. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { fault, Reason } from "../fault.ts";
import { UploadModuleRequestSchema } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import type { ControlPlaneSession } from "./control-plane-session.ts";
import type { ProgressBar } from "./progress-bar.ts";

/** One piece; the contract allows 1 MiB. */
export const UPLOAD_CHUNK_BYTES: number = 256 * 1024;

const UPLOAD_TIMEOUT_MS = 15 * 60_000;

/** What is uploaded. */
export type ModuleUpload = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  readonly progress: ProgressBar;
};

/** Uploads the module; resolves when the control plane holds all of it. Nothing is kept if it is broken off. */
export async function uploadModule(session: ControlPlaneSession, upload: ModuleUpload): Promise<void> {
  const { digest, progress } = upload;
  try {
    const answer = await session.client.uploadModule(pieces(upload), session.call(UPLOAD_TIMEOUT_MS));
    if (answer.digest !== digest)
      throw fault(
        Reason.MODULE_DIGEST_MISMATCH,
        `Cannot upload module: the control plane received ${answer.digest}, not ${digest}`,
      );
  } finally {
    await progress.close();
  }
}

async function* pieces(upload: ModuleUpload): AsyncGenerator<MessageInitShape<typeof UploadModuleRequestSchema>> {
  const { bytes, digest, progress } = upload;
  for (let at = 0; at < bytes.length; at += UPLOAD_CHUNK_BYTES) {
    // A piece is asked for when the one before is on its way.
    await progress.advance(at);
    yield create(UploadModuleRequestSchema, {
      digest: at === 0 ? digest : "",
      chunk: bytes.subarray(at, at + UPLOAD_CHUNK_BYTES),
    });
  }
  await progress.advance(bytes.length);
}
