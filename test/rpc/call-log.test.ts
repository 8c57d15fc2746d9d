/** Which lines calls leave in the log, and that they carry the caller's request id. */
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { fault, Reason } from "../../src/fault.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { createJsonLog, type LogLevel } from "../../src/log.ts";
import { requestIdHeaders } from "../../src/rpc/client-interceptors.ts";
import { rpcServerInterceptors } from "../../src/rpc/server-interceptors.ts";

/** The lines of a call that goes well, of one that is refused and of one that is given up. */
async function linesAt(level: LogLevel): Promise<unknown[]> {
  const lines: unknown[] = [];
  const log = createJsonLog({ level, write: (line) => void lines.push(JSON.parse(line)) });
  const transport = createRouterTransport(
    (router) =>
      router.service(ControlPlaneService, {
        listNodes: () => ({}),
        queryInstance() {
          throw fault(Reason.INSTANCE_NOT_FOUND, "Cannot query: there is none");
        },
        stopInstance() {
          throw fault(Reason.CANCELED, "Call was given up by its caller");
        },
      }),
    {
      router: {
        interceptors: rpcServerInterceptors({ log, clock: systemClock, entropy: systemEntropy, token: undefined }),
      },
    },
  );
  const client = createClient(ControlPlaneService, transport);
  await client.listNodes({}, { headers: requestIdHeaders("r-1") });
  await expect(client.queryInstance({ instance: "a" }, { headers: requestIdHeaders("r-2") })).rejects.toThrow();
  await expect(client.stopInstance({ instance: "a" }, { headers: requestIdHeaders("r-3") })).rejects.toThrow();
  return lines;
}

test("a refused call is told by default, with its request id, its reason and its sentence", async () => {
  expect(await linesAt("info")).toEqual([
    expect.objectContaining({
      level: "info",
      message: "rpc refused",
      method: "QueryInstance",
      code: "not_found",
      requestId: "r-2",
      reason: "INSTANCE_NOT_FOUND",
      why: "Cannot query: there is none",
    }),
  ]);
});

test("every call is told at level debug", async () => {
  const lines = await linesAt("debug");
  expect(lines).toMatchObject([{ requestId: "r-1", code: "ok" }, { requestId: "r-2" }, { requestId: "r-3" }]);
});
