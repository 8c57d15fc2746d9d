/**
 * Methods whose messages are read without taking their instances and facts apart (`packed_report.proto`): the same paths and the same
 * bytes as the contract says, for an order of magnitude less memory and time. JSON has no such form and goes the usual way.
 */
import type { DescMethodServerStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import {
  createConnectRouter,
  type ConnectRouter,
  type ConnectRouterOptions,
  type MethodImpl,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { ControlPlaneService, type ReportStatusResponseSchema } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeFleetService, type WatchReportsRequestSchema } from "../gen/wasmatrix/v1/node_fleet_pb.ts";
import { PackedReportSchema, PackedWatchReportsResponseSchema } from "../gen/wasmatrix/v1/packed_report_pb.ts";

/** ControlPlaneService.ReportStatus with its request packed. */
export const packedReportStatus: DescMethodUnary<typeof PackedReportSchema, typeof ReportStatusResponseSchema> = {
  ...ControlPlaneService.method.reportStatus,
  input: PackedReportSchema,
};

/** NodeFleetService.WatchReports with its answers packed. */
export const packedWatchReports: DescMethodServerStreaming<
  typeof WatchReportsRequestSchema,
  typeof PackedWatchReportsResponseSchema
> = { ...NodeFleetService.method.watchReports, output: PackedWatchReportsResponseSchema };

/** Puts a packed form before a method that the router serves already; whoever speaks JSON still reaches that one. */
export function servePacked(
  router: ConnectRouter,
  implementation: MethodImpl<typeof packedReportStatus>,
  options: ConnectRouterOptions,
): void {
  const [packed] = createConnectRouter(options).rpc(packedReportStatus, implementation).handlers;
  const index = router.handlers.findIndex(({ requestPath }) => requestPath === packed?.requestPath);
  const whole = router.handlers[index];
  if (packed === undefined || whole === undefined) throw new Error("there is no method to serve in a packed form");
  const { service, method, requestPath, supportedContentType, protocolNames, allowedMethods } = whole;
  const either = (request: Parameters<UniversalHandler>[0]): ReturnType<UniversalHandler> =>
    (isJson(request.header.get("content-type")) ? whole : packed)(request);
  router.handlers[index] = Object.assign(either, {
    service,
    method,
    requestPath,
    supportedContentType,
    protocolNames,
    allowedMethods,
  });
}

function isJson(contentType: string | null): boolean {
  return contentType !== null && /[/+]json\b/.test(contentType);
}
