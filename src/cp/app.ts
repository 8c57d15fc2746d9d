/** A control plane on any platform with Web APIs: state, services, gateway and health, put together. */
import type { ConnectRouter, ConnectRouterOptions, Transport } from "@connectrpc/connect";
import { Hono } from "hono";
import type { Clock, Entropy } from "../clock.ts";
import type { Directory } from "../discovery/directory.ts";
import type { NodeEntry } from "../discovery/discovery-entry.ts";
import { fault, Reason } from "../fault.ts";
import { ControlPlaneService } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import type { Log } from "../log.ts";
import { createTokenCheck, tokenFromAuthorization } from "../rpc/bearer-token.ts";
import { requestIdFromHeader, REQUEST_ID_HEADER } from "../rpc/request-id.ts";
import { RPC_READ_MAX_BYTES, RPC_WRITE_MAX_BYTES } from "../rpc/rpc-limits.ts";
import { rpcServerInterceptors } from "../rpc/server-interceptors.ts";
import { moveInstance } from "./drain/move-instance.ts";
import { endDoubleStarts } from "./double-starts.ts";
import { createFleet } from "./fleet.ts";
import { createFleetReader, type FleetReader } from "./fleet-reader.ts";
import { silencePolicyFromInterval, type SilencePolicy } from "./fleet-view.ts";
import { createGateway } from "./gateway/gateway.ts";
import { gatewayTargetFromUrl } from "./gateway/gateway-route.ts";
import { plainFault } from "./gateway/plain-fault.ts";
import { createKnownAgents, type KnownAgents } from "./known-agents.ts";
import { CONTROL_PLANE_LIMITS, type ControlPlaneLimits } from "./limits.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { Fetch } from "./modules/module-fetch.ts";
import { createModuleStore } from "./modules/module-store.ts";
import { createNodeAgents } from "./node-agents.ts";
import { createOrderEcho } from "./order-echo.ts";
import { servePacked } from "./packed-methods.ts";
import type { PlacementNode } from "./placement.ts";
import { rpcOverFetch } from "./rpc-over-fetch.ts";
import { controlPlaneService } from "./services/control-plane-service.ts";
import { answerToReport } from "./services/nodes.ts";
import { createSlots } from "../rpc/slots.ts";
import { mendStaleJournals } from "./stale/stale-journals.ts";
import { createOrdersUnderWay, placementNodes } from "./start/placement-nodes.ts";
import { reservePlacement } from "./start/reservations.ts";
import type { StartOrderDeps } from "./start/start-order.ts";
import { createInstanceStarter } from "./start/start-instance.ts";
import { giveCopy, placeCopy, placeCopyIfAny } from "./witness/copy-placement.ts";
import { createGenerationActions } from "./witness/generation-actions.ts";
import { keepGenerations } from "./witness/generation-keeper.ts";
import { witnessCandidates } from "./witness/witness-candidates.ts";
import { createWitnessOrders } from "./witness/witness-orders.ts";
import { takeReport } from "./take-report.ts";

/** What a control plane is given. */
export type ControlPlaneDeps = {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Makes a transport to an agent's base URL; it may connect lazily, and must send the agents' token. */
  readonly dial: (address: string) => Transport;
  /** Fetches modules and passes requests to agents' ingresses. */
  readonly fetch: Fetch;
  /** If set, RPCs and /metrics need it as a bearer token. */
  readonly token?: string | undefined;
  /** How often agents are asked to report. Default 5 s. */
  readonly reportIntervalMs?: number | undefined;
  /** After how much silence a node is suspect, and lost. Default: one and a half report intervals; 10 s, or two intervals if that is longer. */
  readonly silence?: Partial<SilencePolicy> | undefined;
  /** Base URLs of agents whose reports are read from here, besides those that push theirs. */
  readonly staticAgents?: readonly string[] | undefined;
  /** Opens the directory of a discovery store that names more of them. */
  readonly openDirectory?: ((onNodes: (nodes: readonly NodeEntry[]) => void) => Directory) | undefined;
  readonly limits?: Partial<ControlPlaneLimits> | undefined;
};

/** A control plane. It holds nothing but what it was told since it was made. */
export interface ControlPlane {
  /** Adds the services to a router of the platform's own, gRPC included. */
  readonly routes: (router: ConnectRouter) => void;
  /** Answers everything: gateway, RPC (but not plain gRPC), health and metrics. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Ends streams. May be called twice. */
  readonly close: () => Promise<void>;
}

const REPORT_INTERVAL_DEFAULT_MS = 5_000;

/** Makes a control plane that knows nothing yet. */
export function createControlPlane(deps: ControlPlaneDeps): ControlPlane {
  const { clock, entropy, log, token } = deps;
  const limits: ControlPlaneLimits = { ...CONTROL_PLANE_LIMITS, ...deps.limits };
  const reportIntervalMs = deps.reportIntervalMs ?? REPORT_INTERVAL_DEFAULT_MS;
  const silence: SilencePolicy = { ...silencePolicyFromInterval(reportIntervalMs), ...deps.silence };
  const closing = new AbortController();
  const startedMs = clock.steadyMs();

  const fleet = createFleet({ clock, silence, limits });
  const knownAgents = createKnownAgents({
    clock,
    entropy,
    log,
    dial: deps.dial,
    reportIntervalMs,
    take: (report) => takeReport({ fleet, log }, report),
    held: (nodeId) => fleet.node(nodeId)?.fold,
    staticAgents: deps.staticAgents ?? [],
    openDirectory: deps.openDirectory,
    awaitMs: silence.lostAfterMs,
  });
  const reader = createFleetReader({ fleet, clock, silence, awaited: () => knownAgents.awaited() });
  const agents = createNodeAgents({ fleet, clock, silence, dial: deps.dial });
  const modules = createModuleStore({ fleet, agents, silence, clock, log, fetch: deps.fetch, limits });
  const echo = createOrderEcho({ fleet, clock, timeoutMs: limits.echoTimeoutMs });
  const endDoubles = endDoubleStarts({
    fleet,
    agents,
    clock,
    silence,
    log,
    orderTimeoutMs: limits.orderTimeoutMs,
  });
  const underWay = createOrdersUnderWay();
  const witnesses = createWitnessOrders({ fleet, agents, modules, clock, silence });
  const startOrders: StartOrderDeps = {
    agents,
    modules,
    startTimeoutMs: limits.startTimeoutMs,
    orderTimeoutMs: limits.orderTimeoutMs,
  };
  const nodesNow = (name: string): readonly PlacementNode[] =>
    placementNodes({ fleet, clock, silence, underWay }, name);
  const actions = createGenerationActions({
    agents,
    modules,
    log,
    orderTimeoutMs: limits.orderTimeoutMs,
    candidates: (copy, without) => placeCopyIfAny(nodesNow(copy.spec?.name ?? ""), copy, without),
    start: (copy, witnessNodeId, call) => giveCopy(startOrders, copy, witnessNodeId, call),
    witnesses: (nodeId) => witnessCandidates({ fleet, clock, silence }, nodeId),
  });
  const staleJournals = mendStaleJournals({ fleet, agents, clock, log, orderTimeoutMs: limits.orderTimeoutMs });
  const generations = keepGenerations({
    fleet,
    clock,
    entropy,
    silence,
    log,
    actions,
    isOnHold: (instanceId) => staleJournals.isStale(instanceId),
  });
  const starter = createInstanceStarter({
    ...startOrders,
    reader,
    echo,
    entropy,
    underWay,
    witnesses,
    reserve: (order, call) => reservePlacement({ fleet, agents, timeoutMs: limits.reservationTimeoutMs }, order, call),
    // Agents that push their reports are on no list: after one and a half intervals those that can be heard have been.
    mayLackNodes: () =>
      reader.isRebuilding() || (clock.steadyMs() - startedMs < silence.suspectAfterMs && !knownAgents.areAllHeard()),
    placementNodes: nodesNow,
    slots: createSlots(limits.startsMax, "starts"),
  });
  const metrics = createMetrics({ fleet, reader, clock, silence, discovery: () => knownAgents.discovery() });
  const streams = createSlots(limits.streamsMax, "streams");
  const service = controlPlaneService({
    clock,
    log,
    fleet,
    reader,
    unheard: () => knownAgents.unheard(),
    silence,
    agents,
    modules,
    starter,
    placementNodes: nodesNow,
    echo,
    witnesses,
    move: (instance) =>
      moveInstance(
        {
          fleet,
          clock,
          log,
          actions,
          candidates: (copy, without) => placeCopy(nodesNow(copy.spec?.name ?? ""), copy, without),
          readyTimeoutMs: limits.orderTimeoutMs,
        },
        instance,
      ),
    streams,
    limits,
    reportIntervalMs,
    closing: closing.signal,
  });
  const gateway = createGateway({
    fleet,
    reader,
    fetch: deps.fetch,
    clock,
    entropy,
    log,
    limits,
    onResponse: metrics.onGatewayRequest,
  });

  const rpcOptions: ConnectRouterOptions = {
    interceptors: rpcServerInterceptors({ log, clock, entropy, token, onCall: metrics.onCall }),
    readMaxBytes: RPC_READ_MAX_BYTES,
    writeMaxBytes: RPC_WRITE_MAX_BYTES,
  };
  const withoutGrpc: ConnectRouterOptions = { ...rpcOptions, grpc: false };
  const routes = (router: ConnectRouter, options: ConnectRouterOptions): void => {
    router.service(ControlPlaneService, service, options);
    servePacked(router, (report) => answerToReport(takeReport({ fleet, log }, report)), options);
  };
  const rpc = rpcOverFetch((router) => routes(router, withoutGrpc));
  const pages = createPages({ reader, knownAgents, metrics, entropy, token });

  return {
    routes: (router) => routes(router, rpcOptions),
    async fetch(request) {
      const url = new URL(request.url);
      const target = gatewayTargetFromUrl(url);
      if (target) return gateway.handle(request, target);
      return rpc.handle(request, url.pathname) ?? pages.fetch(request);
    },
    close: () => {
      closing.abort();
      endDoubles();
      generations.close();
      staleJournals.close();
      return knownAgents.close();
    },
  };
}

type PagesDeps = {
  readonly reader: FleetReader;
  readonly knownAgents: KnownAgents;
  readonly metrics: Metrics;
  readonly entropy: Entropy;
  readonly token: string | undefined;
};

/** What is neither gateway nor RPC. Health needs no token: a load balancer has none. */
function createPages({ reader, knownAgents, metrics, entropy, token }: PagesDeps): Hono {
  const check = token === undefined ? undefined : createTokenCheck(token);
  const pages = new Hono();
  pages.get("/healthz", (context) => context.json({ status: "ok" }));
  pages.get("/readyz", (context) => {
    const rebuilding = [...reader.rebuildingNodes().map(({ nodeId }) => nodeId), ...knownAgents.awaited()].sort();
    const health = knownAgents.discovery();
    // Without its discovery store a control plane goes on with what it knows: that is worth saying, and no reason to be taken out.
    const said = { rebuilding, ...(health === undefined ? {} : { discovery: health }) };
    if (!reader.isRebuilding()) return context.json({ status: "ready", ...said });
    return context.json({ status: rebuilding.length > 0 ? "rebuilding" : "waiting for first reports", ...said }, 503);
  });
  pages.get("/metrics", async (context) => {
    const presented = tokenFromAuthorization(context.req.header("authorization") ?? null);
    if (!check || (await check(presented))) {
      return context.body(metrics.text(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    }
    const what = presented === null ? "no token was sent" : "the token is wrong";
    const requestId = requestIdFromHeader(context.req.header(REQUEST_ID_HEADER) ?? null, entropy);
    return plainFault(fault(Reason.UNAUTHENTICATED, `Cannot read metrics: ${what}`), requestId);
  });
  pages.notFound((context) => context.text(`Nothing is served at ${context.req.path}: ${WHAT_IS}\n`, 404));
  return pages;
}

/** For who looks at the port with a browser. */
const WHAT_IS =
  "instances answer at NAME.localhost and at /-/NAME/, methods of the API at /wasmatrix.v1.ControlPlaneService/METHOD by POST; there are /healthz, /readyz and /metrics";
