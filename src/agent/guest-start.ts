/** What a guest is started with, from the record of its instance. */
import { Isolation, Reuse } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { GuestHost, GuestStart } from "../runtime/runtime.ts";
import type { GuestRights } from "./guest-rights.ts";
import type { InstanceRecord } from "./instance-record.ts";

/** What every program is told of its own name: instances come and go under other names, or none. */
const PROGRAM_NAME = "main";

/** The start order of the runtime. Throws what `GuestRights.of` throws: a folder may have gone since it was granted. */
export function guestStartFrom(
  record: InstanceRecord,
  deps: {
    readonly readModule: (digest: string) => Promise<Uint8Array>;
    readonly rights: Pick<GuestRights, "of">;
    readonly host: GuestHost;
  },
): GuestStart {
  const { id, spec, limits } = record;
  return {
    id,
    digest: spec.moduleDigest,
    readModule: () => deps.readModule(spec.moduleDigest),
    args: [PROGRAM_NAME, ...spec.args],
    stdin: spec.stdin,
    config: spec.config,
    rights: deps.rights.of(record),
    isolation: spec.isolation === Isolation.DEDICATED ? "dedicated" : "shared",
    reuse: spec.reuse === Reuse.NONE ? "none" : "instance",
    limits,
    host: deps.host,
  };
}
