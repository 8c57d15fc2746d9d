/** Interceptors that let the simulator see what peers say to each other, or make a peer as old as it is to be. */
import { fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { isFault, Reason } from "../../src/fault.ts";
import { faultFromConnect } from "../../src/rpc/fault-to-connect.ts";
import {
  RegisterNodeRequestSchema,
  ReportStatusRequestSchema,
  type ReportStatusRequest,
} from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import {
  NodeFleetService,
  ReservePlacementRequestSchema,
  WatchReportsResponseSchema,
} from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import { PackedWatchReportsResponseSchema } from "../../src/gen/wasmatrix/v1/packed_report_pb.ts";

/** Sees every report that is pushed through it. */
export function tapPushedReports(onReport: (report: ReportStatusRequest) => void): Interceptor {
  return (next) => (request) => {
    if (!request.stream && isMessage(request.message, ReportStatusRequestSchema)) onReport(request.message);
    return next(request);
  };
}

/** Sees every report that is read from a stream. */
export function tapStreamedReports(onReport: (report: ReportStatusRequest) => void): Interceptor {
  return (next) => async (request) => {
    const response = await next(request);
    if (!response.stream || response.method.name !== "WatchReports") return response;
    const messages = response.message;
    const tapped = async function* (): AsyncGenerator<typeof messages extends AsyncIterable<infer T> ? T : never> {
      for await (const message of messages) {
        const whole = isMessage(message, PackedWatchReportsResponseSchema)
          ? fromBinary(WatchReportsResponseSchema, toBinary(PackedWatchReportsResponseSchema, message))
          : undefined;
        if (whole?.report !== undefined) onReport(whole.report);
        yield message;
      }
    };
    return { ...response, message: tapped() };
  };
}

/** Sees every question for a reservation that got no answer: `why` says how. */
export function tapReservations(onFailed: (instanceId: string, why: string) => void): Interceptor {
  return (next) => async (request) => {
    if (request.stream || !isMessage(request.message, ReservePlacementRequestSchema)) return next(request);
    const { instanceId } = request.message;
    try {
      return await next(request);
    } catch (error) {
      const failure = faultFromConnect(error);
      onFailed(
        instanceId,
        isFault(failure, Reason.UNIMPLEMENTED) ? "a home is of an older version" : "a home did not answer",
      );
      throw error;
    }
  };
}

/** Makes an agent's reports those of protocol version 1. */
export const speakVersion1: Interceptor = (next) => (request) => {
  const { message } = request;
  const hasInfo = isMessage(message, ReportStatusRequestSchema) || isMessage(message, RegisterNodeRequestSchema);
  if (!request.stream && hasInfo && message.info !== undefined) message.info.protocolVersion = 1;
  return next(request);
};

/** Makes a control plane one that does not know of NodeFleetService. */
export const knowNoFleetService: Interceptor = (next) => (request) => {
  if (request.service.typeName !== NodeFleetService.typeName) return next(request);
  throw new ConnectError("this control plane is of an older version", Code.Unimplemented);
};

/** Notes what orders are about and what comes of them, for traces. */
export function noteOrders(who: string, to: string, note: (line: string) => void): Interceptor {
  return (next) => async (request) => {
    const id =
      "instanceId" in request.message && typeof request.message.instanceId === "string"
        ? request.message.instanceId
        : undefined;
    if (request.stream || id === undefined) return next(request);
    const what = `  ${who} to ${to}: ${request.method.name} ${id}`;
    const details = (message: object): string =>
      ["generation", "expectedGeneration", "supersededByGeneration", "nodeId", "witnessNodeId", "refusedByNodeId"]
        .filter((field) => field in message && !["", "0"].includes(String(Reflect.get(message, field))))
        .map((field) => ` ${field} ${String(Reflect.get(message, field))}`)
        .join("");
    try {
      const response = await next(request);
      note(`${what}${details(request.message)} =>${response.stream ? "" : details(response.message)} ok`);
      return response;
    } catch (error) {
      note(`${what}${details(request.message)} => ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  };
}
