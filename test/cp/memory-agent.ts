/**
 * A node agent that keeps to the order and report protocols but runs nothing: an instance that it admits is running.
 * It stands in for the real one where a test must say when it reports, refuses or falls silent.
 */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient, createRouterTransport, type Client, type Transport } from "@connectrpc/connect";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { fault, Reason } from "../../src/fault.ts";
import { ControlPlaneService, ReportStatusRequestSchema } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind, FactSchema, SnapshotSchema, type Fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import {
  AssignmentSchema,
  GuestKind,
  InstanceSchema,
  InstanceState,
  LogLineSchema,
  TerminationSchema,
  type Instance,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { LoadSchema, type NodeInfo } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { NodeAgentService } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { silentLog } from "../../src/log.ts";
import { requestIdKey } from "../../src/rpc/request-id.ts";
import { rpcServerInterceptors } from "../../src/rpc/server-interceptors.ts";
import { digestOf, joinChunks } from "../../src/cp/modules/module-bytes.ts";
import { nodeInfoOf } from "./node-history.ts";

export type MemoryAgentOptions = Parameters<typeof nodeInfoOf>[0] & { readonly epoch?: string };

export interface MemoryAgent {
  readonly nodeId: string;
  readonly address: string;
  /** Serves the agent's API in this process. */
  readonly transport: Transport;
  readonly instances: Map<string, Instance>;
  readonly modules: Map<string, Uint8Array>;
  /** Request ids that came along with orders. */
  readonly requestIds: string[];
  /** Orders by method, in the order in which they came. */
  readonly orders: string[];
  /** If set, an order to start is refused with it. */
  refuseStart: Reason | undefined;
  /** If set, changes are kept to itself until `report` is called. */
  quiet: boolean;
  /** Sends what the control plane lacks, or a heartbeat. */
  report(leaving?: boolean): Promise<void>;
  /** Records a change of an instance, as if it had happened by itself. */
  change(instance: Instance, kind: FactKind): void;
  /** Dies and comes up again with nothing but its record of instances. */
  restart(epoch: string): void;
  /** Resolves once all reports under way are answered. */
  settled(): Promise<void>;
  info(): NodeInfo;
}

/** Shared, because each set compiles the validation rules anew. */
const INTERCEPTORS = rpcServerInterceptors({
  log: silentLog,
  clock: systemClock,
  entropy: systemEntropy,
  token: undefined,
});

export function createMemoryAgent(options: MemoryAgentOptions, controlPlane: () => Transport): MemoryAgent {
  const nodeId = options.nodeId ?? "n1";
  const address = options.address ?? `http://${nodeId}.test`;
  const client: () => Client<typeof ControlPlaneService> = () => createClient(ControlPlaneService, controlPlane());
  let epoch = options.epoch ?? "e1";
  let facts: Fact[] = [];
  let acknowledged: number | undefined;
  let reporting: Promise<void> = Promise.resolve();

  const live = (): Instance[] => [...agent.instances.values()].filter(({ state }) => state < InstanceState.STOPPED);
  const send = async (leaving: boolean): Promise<void> => {
    const snapshot =
      acknowledged === undefined
        ? create(SnapshotSchema, {
            sequence: BigInt(facts.length),
            page: 0,
            pageCount: 1,
            instances: [...agent.instances.values()],
          })
        : undefined;
    const after = acknowledged ?? facts.length;
    const { holds } = await client().reportStatus(
      create(ReportStatusRequestSchema, {
        info: agent.info(),
        epoch,
        afterSequence: BigInt(after),
        facts: facts.slice(after),
        load: create(LoadSchema, { instances: live().length, memoryBytes: BigInt(live().length) * 64n * 1024n ** 2n }),
        leaving,
        sendTime: timestampFromMs(systemClock.nowMs()),
        ...(snapshot ? { snapshot } : {}),
      }),
    );
    acknowledged = holds.case === "acknowledged" ? Number(holds.value.sequence) : undefined;
    if (acknowledged !== facts.length) await send(leaving);
  };
  const wake = (): void => {
    if (!agent.quiet) void agent.report();
  };
  const held = (id: string): Instance => {
    const instance = agent.instances.get(id);
    if (instance) return instance;
    throw fault(Reason.INSTANCE_NOT_FOUND, `Cannot find instance "${id}"`, { subject: id });
  };

  const transport = createRouterTransport(
    (router) =>
      router.service(NodeAgentService, {
        async startInstance({ instanceId, spec, generation }, context) {
          agent.orders.push("startInstance");
          agent.requestIds.push(context.values.get(requestIdKey));
          const known = agent.instances.get(instanceId);
          if (known) return { instance: known, alreadyStarted: true };
          if (agent.refuseStart !== undefined)
            throw fault(agent.refuseStart, `Cannot start instance "${instanceId}": refused`);
          if (!spec || !agent.modules.has(spec.moduleDigest))
            throw fault(Reason.MODULE_NOT_FOUND, `Cannot start instance "${instanceId}": no such module`);
          const { name, labels, args, moduleDigest, assignments } = spec;
          const common = { id: instanceId, nodeId, generation, name, labels, args, moduleDigest, assignments };
          const starting = create(InstanceSchema, {
            ...common,
            state: InstanceState.STARTING,
            createTime: timestampFromMs(systemClock.nowMs()),
          });
          agent.change(starting, FactKind.INSTANCE_STARTING);
          agent.change({ ...starting, state: InstanceState.RUNNING, kind: GuestKind.HTTP }, FactKind.INSTANCE_RUNNING);
          return { instance: held(instanceId), alreadyStarted: false };
        },
        stopInstance({ instanceId }) {
          agent.orders.push("stopInstance");
          const instance = held(instanceId);
          if (instance.state < InstanceState.STOPPED) {
            agent.change(
              { ...instance, state: InstanceState.STOPPED, lastTermination: create(TerminationSchema) },
              FactKind.INSTANCE_STOPPED,
            );
          }
          return { instance: held(instanceId) };
        },
        queryInstance({ instanceId }) {
          agent.orders.push("queryInstance");
          return { instance: held(instanceId) };
        },
        invokeInstance: ({ instanceId, function: name, argsJson }) => ({
          resultsJson: JSON.stringify([held(instanceId).id, name, argsJson]),
        }),
        assignCapability({ instanceId, assignment }) {
          const instance = held(instanceId);
          agent.change(
            { ...instance, assignments: [...instance.assignments, create(AssignmentSchema, assignment ?? {})] },
            FactKind.CAPABILITY_ASSIGNED,
          );
          return { instance: held(instanceId) };
        },
        revokeCapability({ instanceId }) {
          agent.change({ ...held(instanceId), assignments: [] }, FactKind.CAPABILITY_REVOKED);
          return { instance: held(instanceId) };
        },
        async *tailLogs({ instanceId, follow }, context) {
          held(instanceId);
          yield { lines: [] };
          yield { lines: [create(LogLineSchema, { instanceId, text: "hello", sequence: 1n })] };
          if (follow) await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        },
        async pushModule(pieces) {
          agent.orders.push("pushModule");
          const chunks: Uint8Array[] = [];
          let wanted = "";
          for await (const { digest, chunk } of pieces) {
            wanted ||= digest;
            chunks.push(chunk);
          }
          const bytes = joinChunks(
            chunks,
            chunks.reduce((sum, chunk) => sum + chunk.length, 0),
          );
          const digest = await digestOf(bytes);
          if (digest !== wanted)
            throw fault(Reason.MODULE_DIGEST_MISMATCH, "Cannot keep module: its digest is another");
          agent.modules.set(digest, bytes);
          return { digest, sizeBytes: BigInt(bytes.length) };
        },
        async *pullModule({ digest }) {
          agent.orders.push("pullModule");
          const bytes = agent.modules.get(digest);
          if (!bytes) throw fault(Reason.MODULE_NOT_FOUND, `Cannot pull module ${digest}: it is not here`);
          yield { chunk: bytes.subarray(0, 3) };
          yield { chunk: bytes.subarray(3) };
        },
      }),
    { router: { interceptors: INTERCEPTORS } },
  );

  const agent: MemoryAgent = {
    nodeId,
    address,
    transport,
    instances: new Map(),
    modules: new Map(),
    requestIds: [],
    orders: [],
    refuseStart: undefined,
    quiet: false,
    info: () => nodeInfoOf({ ...options, nodeId, address, moduleDigests: [...agent.modules.keys()] }),
    report: (leaving = false) => (reporting = reporting.then(() => send(leaving))),
    change(instance, kind) {
      agent.instances.set(instance.id, instance);
      facts.push(
        create(FactSchema, {
          nodeId,
          epoch,
          sequence: BigInt(facts.length + 1),
          time: timestampFromMs(systemClock.nowMs()),
          kind,
          instance,
        }),
      );
      wake();
    },
    restart(next) {
      epoch = next;
      facts = [];
      acknowledged = undefined;
    },
    settled: () => reporting,
  };
  return agent;
}
