/** WatchFacts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, Reason } from "../../fault.ts";
import type {
  ControlPlaneService,
  WatchFactsRequest,
  WatchFactsResponseSchema,
} from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { FactCursor } from "../../gen/wasmatrix/v1/fact_pb.ts";
import { STREAM_KEEPALIVE_MS } from "../../rpc/rpc-limits.ts";
import { streamFacts, type FactPositions } from "../fact-stream.ts";
import { shuttingDown, type ServiceDeps } from "./service-deps.ts";

const DOING = "Cannot watch facts";

/** The handler. */
export function facts(deps: ServiceDeps): Pick<ServiceImpl<typeof ControlPlaneService>, "watchFacts"> {
  return { watchFacts: (request, context) => watchFacts(deps, request, context) };
}

async function* watchFacts(
  deps: ServiceDeps,
  request: WatchFactsRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof WatchFactsResponseSchema>> {
  const after = positionsFromCursor(request.after, deps.limits.nodesMax);
  const only =
    request.instance === "" ? undefined : deps.reader.find(request.instance, "Cannot watch facts of instance").id;
  const release = deps.streams.take(DOING, context.signal);
  try {
    const stream = streamFacts(
      { fleet: deps.fleet, clock: deps.clock, keepAliveMs: STREAM_KEEPALIVE_MS },
      {
        after,
        follow: request.follow,
        wants: (fact) => only === undefined || fact.instance?.id === only,
        signal: AbortSignal.any([context.signal, deps.closing]),
      },
    );
    for await (const { facts, positions, gap } of stream)
      yield { facts: facts.map((fact) => fact.whole()), cursor: cursorFromPositions(positions), gap };
    if (deps.closing.aborted) throw shuttingDown(DOING);
  } finally {
    release();
  }
}

function positionsFromCursor(cursor: FactCursor | undefined, nodesMax: number): FactPositions {
  const positions = cursor?.positions ?? [];
  const byNode = new Map(positions.map(({ nodeId, epoch, sequence }) => [nodeId, { epoch, sequence }]));
  const why =
    positions.length > nodesMax
      ? `names more than ${nodesMax} nodes`
      : byNode.size < positions.length
        ? "names a node twice"
        : byNode.has("")
          ? "has a position without a node"
          : undefined;
  if (why === undefined) return byNode;
  throw fault(Reason.CURSOR_INVALID, `${DOING}: the cursor ${why}`, { subject: "after" });
}

function cursorFromPositions(positions: FactPositions): {
  positions: { nodeId: string; epoch: string; sequence: bigint }[];
} {
  return { positions: [...positions].map(([nodeId, position]) => ({ nodeId, ...position })) };
}
