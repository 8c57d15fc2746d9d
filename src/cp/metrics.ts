/** Prometheus' text format, as far as a control plane needs it. */
import { InstanceState, InstanceStateSchema } from "../gen/wasmatrix/v1/instance_pb.ts";
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import { NodeState, NodeStateSchema } from "../gen/wasmatrix/v1/node_pb.ts";
import type { Clock } from "../clock.ts";
import type { DiscoveryHealth } from "../discovery/discovery-store.ts";
import type { RpcCallMeasure } from "../rpc/server-interceptors.ts";
import { isHeard, nodeStateAt, viewState, type SilencePolicy } from "./fleet-view.ts";
import type { FleetReader } from "./fleet-reader.ts";
import type { Fleet } from "./fleet.ts";

/** Counts, and writes the counts down. */
export interface Metrics {
  /** One finished RPC. */
  readonly onCall: (call: RpcCallMeasure) => void;
  /** One finished request through the gateway. */
  readonly onGatewayRequest: (status: number) => void;
  /** Everything, in the text format 0.0.4. */
  readonly text: () => string;
}

/** What metrics are made of. */
export type MetricsDeps = {
  readonly fleet: Fleet;
  readonly reader: FleetReader;
  readonly clock: Clock;
  readonly silence: SilencePolicy;
  /** Health of the discovery store, if there is one. */
  readonly discovery?: () => DiscoveryHealth | undefined;
};

/** Upper bounds of the latency histogram, in seconds. */
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

type Latency = { count: number; sumS: number; readonly buckets: number[] };

/** Begins to count. Gauges are read off the fleet when asked; counters begin at 0 with this process, as Prometheus expects. */
export function createMetrics(deps: MetricsDeps): Metrics {
  const calls = new Map<string, Latency>();
  const gateway = new Map<string, number>();
  let restarts = 0;
  let denials = 0;
  // The past that comes along with a snapshot does not count: a counter that jumps when this process begins would look like a burst.
  deps.fleet.onChange(({ news, withSnapshot }) => {
    if (withSnapshot) return;
    for (const { kind } of news) {
      if (kind === FactKind.INSTANCE_RESTARTING) restarts += 1;
      if (kind === FactKind.CAPABILITY_DENIED) denials += 1;
    }
  });
  return {
    onCall({ service, method, code, durationMs }) {
      const key = labels({ service, method, code });
      const latency = calls.get(key) ?? { count: 0, sumS: 0, buckets: BUCKETS_S.map(() => 0) };
      calls.set(key, latency);
      latency.count += 1;
      latency.sumS += durationMs / 1_000;
      BUCKETS_S.forEach((bound, index) => {
        if (durationMs / 1_000 <= bound) latency.buckets[index] = (latency.buckets[index] ?? 0) + 1;
      });
    },
    onGatewayRequest(status) {
      const key = labels({ status: String(status) });
      gateway.set(key, (gateway.get(key) ?? 0) + 1);
    },
    text: () =>
      [
        ...family("wasmatrix_instances", "gauge", "Instances by state.", instancesByState(deps)),
        ...family("wasmatrix_nodes", "gauge", "Nodes by state.", nodesByState(deps)),
        ...family("wasmatrix_nodes_rebuilding", "gauge", "Nodes whose first whole snapshot is awaited.", [
          ["", deps.reader.rebuildingNodes().length],
        ]),
        ...discoveryFamily(deps.discovery?.()),
        ...family("wasmatrix_instance_restarts_total", "counter", "Restarts reported since this process began.", [
          ["", restarts],
        ]),
        ...family(
          "wasmatrix_capability_denials_total",
          "counter",
          "Reported refusals of operations for want of an assignment; repeats within a second count once.",
          [["", denials]],
        ),
        ...family("wasmatrix_gateway_requests_total", "counter", "Requests through the gateway, by status.", [
          ...gateway,
        ]),
        ...latencyFamily(calls),
        "",
      ].join("\n"),
  };
}

function discoveryFamily(health: DiscoveryHealth | undefined): string[] {
  if (health === undefined) return [];
  return family(
    "wasmatrix_discovery_reached",
    "gauge",
    "Whether the discovery store answered when it was last asked.",
    [["", health.kind === "reached" ? 1 : 0]],
  );
}

type Sample = readonly [labels: string, value: number];

function family(name: string, type: string, help: string, samples: readonly Sample[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([label, value]) => `${name}${label === "" ? "" : `{${label}}`} ${value}`),
  ];
}

/** Its `_count` is the number of RPCs by method and code. */
function latencyFamily(calls: ReadonlyMap<string, Latency>): string[] {
  const name = "wasmatrix_rpc_duration_seconds";
  const lines = [
    `# HELP ${name} RPCs and how long they took, by method and code; a stream is measured to its end.`,
    `# TYPE ${name} histogram`,
  ];
  for (const [label, { count, sumS, buckets }] of calls) {
    BUCKETS_S.forEach((bound, index) => lines.push(`${name}_bucket{${label},le="${bound}"} ${buckets[index] ?? 0}`));
    lines.push(
      `${name}_bucket{${label},le="+Inf"} ${count}`,
      `${name}_sum{${label}} ${sumS}`,
      `${name}_count{${label}} ${count}`,
    );
  }
  return lines;
}

/** Every state is there, also with 0, so that alerts need no special case. */
function instancesByState(deps: MetricsDeps): readonly Sample[] {
  const counts = new Map<number, number>();
  for (const node of deps.fleet.nodes()) {
    const heard = isHeard(node, deps.clock.steadyMs(), deps.silence);
    for (const [state, count] of deps.fleet.index.statesAt(node.nodeId)) {
      const seen = viewState({ state }, heard);
      counts.set(seen, (counts.get(seen) ?? 0) + count);
    }
  }
  return InstanceStateSchema.values
    .filter(({ number }) => number !== InstanceState.UNSPECIFIED)
    .map(({ number, name }) => [stateLabel(name, "INSTANCE_STATE_"), counts.get(number) ?? 0]);
}

function nodesByState(deps: MetricsDeps): readonly Sample[] {
  const counts = new Map<number, number>();
  for (const node of deps.fleet.nodes()) {
    const state = nodeStateAt(node, deps.clock.steadyMs(), deps.silence);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return NodeStateSchema.values
    .filter(({ number }) => number !== NodeState.UNSPECIFIED)
    .map(({ number, name }) => [stateLabel(name, "NODE_STATE_"), counts.get(number) ?? 0]);
}

function stateLabel(name: string, prefix: string): string {
  return labels({ state: name.replace(prefix, "").toLowerCase() });
}

function labels(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`))}"`)
    .join(",");
}
