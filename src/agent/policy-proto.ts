/** Restart policies in the contract and in the agent. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { fault, Reason } from "../fault.ts";
import {
  RestartMode,
  RestartPolicySchema,
  type RestartPolicy as ProtoRestartPolicy,
} from "../gen/wasmatrix/v1/instance_pb.ts";
import type { RestartPolicy } from "./restart-policy.ts";

/** Wait before the first restart unless the policy says otherwise. */
export const BACKOFF_DEFAULT_MS = 1_000;
/** Longest wait unless the policy says otherwise. */
export const BACKOFF_MAX_DEFAULT_MS = 60_000;

/**
 * The policy with its defaults filled in; absent means never. A backoff above the default maximum raises
 * the maximum; one above a maximum that was asked for throws `INVALID_REQUEST`.
 */
export function policyFromProto(policy: ProtoRestartPolicy | undefined): RestartPolicy {
  const backoffMs = policy?.backoff === undefined ? undefined : durationMs(policy.backoff);
  const backoffMaxMs = policy?.backoffMax === undefined ? undefined : durationMs(policy.backoffMax);
  if (backoffMs !== undefined && backoffMaxMs !== undefined && backoffMs > backoffMaxMs) {
    throw fault(
      Reason.INVALID_REQUEST,
      `Cannot accept restart policy: backoff ${backoffMs} ms exceeds backoff_max ${backoffMaxMs} ms`,
      {
        subject: "restart_policy.backoff",
      },
    );
  }
  return {
    mode: modeFromProto(policy?.mode ?? RestartMode.UNSPECIFIED),
    maxRetries: policy?.maxRetries ?? 0,
    backoffMs: backoffMs ?? Math.min(BACKOFF_DEFAULT_MS, backoffMaxMs ?? BACKOFF_DEFAULT_MS),
    backoffMaxMs: backoffMaxMs ?? Math.max(BACKOFF_MAX_DEFAULT_MS, backoffMs ?? 0),
  };
}

/** The contract's form of a policy, with everything said. */
export function protoFromPolicy(policy: RestartPolicy): ProtoRestartPolicy {
  return create(RestartPolicySchema, {
    mode: MODE_TO_PROTO[policy.mode],
    maxRetries: policy.maxRetries,
    backoff: durationFromMs(policy.backoffMs),
    backoffMax: durationFromMs(policy.backoffMaxMs),
  });
}

const MODE_TO_PROTO: Readonly<Record<RestartPolicy["mode"], RestartMode>> = {
  never: RestartMode.NEVER,
  always: RestartMode.ALWAYS,
  "on-failure": RestartMode.ON_FAILURE,
};

function modeFromProto(mode: RestartMode): RestartPolicy["mode"] {
  switch (mode) {
    case RestartMode.ALWAYS:
      return "always";
    case RestartMode.ON_FAILURE:
      return "on-failure";
    default:
      // A mode newer than this program is refused by the validation of requests; never is what does no harm.
      return "never";
  }
}
