/** RegisterNode, ReportStatus and ListNodes. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlPlaneService, ReportStatusResponseSchema } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { PROTOCOL_VERSION } from "../../protocol-version.ts";
import { viewNode, viewUnheard } from "../fleet-view.ts";
import type { ReportOutcome } from "../fleet.ts";
import { packedFromRequest, servedInfo, takeReport } from "../take-report.ts";
import type { ServiceDeps } from "./service-deps.ts";

type Handlers = Pick<ServiceImpl<typeof ControlPlaneService>, "registerNode" | "reportStatus" | "listNodes">;

/** The handlers. */
export function nodes(deps: ServiceDeps): Handlers {
  return {
    registerNode({ info, epoch }) {
      const known = servedInfo(info);
      deps.fleet.report({
        info: known,
        epoch,
        afterSequence: 0n,
        facts: [],
        snapshot: undefined,
        load: undefined,
        leaving: false,
        sentNs: 0n,
      });
      return { protocolVersion: PROTOCOL_VERSION, reportInterval: durationFromMs(deps.reportIntervalMs) };
    },

    // Only for JSON: `packed-methods.ts` serves the binary form.
    reportStatus: (request) => answerToReport(takeReport(deps, packedFromRequest(request))),

    listNodes() {
      const steadyMs = deps.clock.steadyMs();
      const held = [...deps.fleet.nodes()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
      const known = new Set(held.map(({ nodeId }) => nodeId));
      const unheard = deps.unheard().filter(({ nodeId }) => !known.has(nodeId));
      return {
        nodes: [
          ...held.map((node) => viewNode(node, steadyMs, deps.silence)),
          ...unheard.map((agent) => viewUnheard(agent, steadyMs, deps.silence)),
        ],
      };
    },
  };
}

/** What the agent is told of its report. */
export function answerToReport(outcome: ReportOutcome): MessageInitShape<typeof ReportStatusResponseSchema> {
  if (outcome.kind === "need-snapshot") return { holds: { case: "needSnapshot", value: { why: outcome.why } } };
  return { holds: { case: "acknowledged", value: { epoch: outcome.epoch, sequence: outcome.sequence } } };
}
