/**
 * A ControlPlaneService over a real port whose answers a test writes: for what a real one does only when something is broken,
 * and for what it was asked, word for word. What it does when all is well is tested in `end-to-end.test.ts` on the real parts.
 */
import { createServer } from "node:http";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { GuestKind, InstanceSchema, InstanceState, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { silentLog, type Log } from "../../src/log.ts";
import { rpcServerInterceptors } from "../../src/rpc/server-interceptors.ts";

/** A running one. */
export type ScriptedControlPlane = { readonly url: string; close(): Promise<void> };

/** Its answers. Methods that are left out are unimplemented. */
export type Script = Partial<ServiceImpl<typeof ControlPlaneService>>;

/** Starts it on any port, behind the interceptors of a real control plane. */
export async function startScripted(
  script: Script,
  options: { token?: string; log?: Log } = {},
): Promise<ScriptedControlPlane> {
  const interceptors = rpcServerInterceptors({
    log: options.log ?? silentLog,
    clock: systemClock,
    entropy: systemEntropy,
    token: options.token,
  });
  const server = createServer(
    connectNodeAdapter({ interceptors, routes: (router) => void router.service(ControlPlaneService, script) }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A running HTTP instance "hello", with changes. */
export function instanceWith(changes: MessageInitShape<typeof InstanceSchema> = {}): Instance {
  return create(InstanceSchema, {
    id: "abcdefgh0123456789xy",
    name: "hello",
    generation: 1n,
    moduleDigest: `sha256:${"0123456789abcdef".repeat(4)}`,
    kind: GuestKind.HTTP,
    nodeId: "node-1",
    state: InstanceState.RUNNING,
    createTime: timestampFromMs(Date.now() - 90_000),
    ...changes,
  });
}
