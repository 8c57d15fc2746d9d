/** What `run` is asked for as a request of the contract. Pure. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { StartInstanceRequestSchema, type StartInstanceRequest } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { Isolation, OnNodeLoss, RestartMode, Reuse } from "../gen/wasmatrix/v1/instance_pb.ts";
import { protoFromLimitValues } from "./limit-flags.ts";
import { assignmentsFromRules } from "./permissions/assignment-plan.ts";
import type { RestartChoice } from "./restart-flag.ts";
import type { IsolationWord, NodeLossWord, ReuseWord, RunOrder } from "./run-order.ts";

/** Under which key an instance is asked for. */
export type RequestKey = {
  readonly idempotencyKey: string;
  /** True if it may have been asked for with this key before, by another run of the program. */
  readonly isOld: boolean;
};

/** The request for one instance, without its module. */
export function requestFromOrder(
  order: RunOrder,
  stdin: Uint8Array<ArrayBuffer>,
  { idempotencyKey, isOld }: RequestKey,
): StartInstanceRequest {
  return create(StartInstanceRequestSchema, {
    idempotencyKey,
    attempt: isOld ? 1 : 0,
    uniqueName: order.unique === true,
    nodeId: order.node ?? "",
    nodeLabels: { ...order.nodeLabels },
    spec: {
      name: order.name ?? "",
      labels: { ...order.labels },
      args: [...(order.args ?? [])],
      env: { ...order.env },
      config: { ...order.config },
      stdin,
      assignments: assignmentsFromRules(order.rules ?? []),
      restartPolicy: {
        mode: RESTART_MODES[order.restart?.kind ?? "never"],
        maxRetries: order.restart?.retriesMax ?? 0,
        ...(order.backoffMs === undefined ? {} : { backoff: durationFromMs(order.backoffMs) }),
      },
      limits: protoFromLimitValues(order.limits ?? {}),
      isolation: order.isolation === undefined ? Isolation.UNSPECIFIED : ISOLATIONS[order.isolation],
      reuse: order.reuse === undefined ? Reuse.UNSPECIFIED : REUSES[order.reuse],
      onNodeLoss: order.onNodeLoss === undefined ? OnNodeLoss.UNSPECIFIED : NODE_LOSSES[order.onNodeLoss],
    },
  });
}

const RESTART_MODES: Readonly<Record<RestartChoice["kind"], RestartMode>> = {
  never: RestartMode.NEVER,
  always: RestartMode.ALWAYS,
  "on-failure": RestartMode.ON_FAILURE,
};

const ISOLATIONS: Readonly<Record<IsolationWord, Isolation>> = {
  shared: Isolation.SHARED,
  dedicated: Isolation.DEDICATED,
};

const REUSES: Readonly<Record<ReuseWord, Reuse>> = { instance: Reuse.INSTANCE, none: Reuse.NONE };

const NODE_LOSSES: Readonly<Record<NodeLossWord, OnNodeLoss>> = {
  none: OnNodeLoss.NONE,
  "restart-elsewhere": OnNodeLoss.RESTART_ELSEWHERE,
};

/** The keys of `count` instances: the given one itself, or for several, the key with a number. */
export function idempotencyKeys(key: string, count: number): string[] {
  return count === 1 ? [key] : Array.from({ length: count }, (_, index) => `${key}-${index + 1}`);
}
