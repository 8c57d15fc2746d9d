/** ControlPlaneService: all of its methods, put together from the files beside this one. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlPlaneService } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { capabilities } from "./capabilities.ts";
import { facts } from "./facts.ts";
import { instanceOrders } from "./instance-orders.ts";
import { instanceReads } from "./instance-reads.ts";
import { instanceStarts } from "./instance-starts.ts";
import { nodeOrders } from "./node-orders.ts";
import { nodes } from "./nodes.ts";
import type { ServiceDeps } from "./service-deps.ts";

/** The service of one control plane. Its methods throw faults; the interceptors of `src/rpc` translate them. */
export function controlPlaneService(deps: ServiceDeps): ServiceImpl<typeof ControlPlaneService> {
  return {
    ...instanceStarts(deps),
    ...instanceOrders(deps),
    ...instanceReads(deps),
    ...capabilities(deps),
    ...facts(deps),
    ...nodes(deps),
    ...nodeOrders(deps),
    async uploadModule(chunks) {
      const { digest, bytes } = await deps.modules.upload(chunks);
      return { digest, sizeBytes: BigInt(bytes.length) };
    },
  };
}
