/** Where instances are in their lives, as a control plane groups them. Pure. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { InstanceState, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";

/** Whether the instance has ended for good. A state that is newer than this program counts as live. */
export function hasEnded(instance: Pick<Instance, "state">): boolean {
  return ENDED.has(instance.state);
}

/** When the instance was made, by its node's clock, in milliseconds since the Unix epoch; 0 if its node did not say. */
export function createdMs(instance: Pick<Instance, "createTime">): number {
  return instance.createTime ? timestampMs(instance.createTime) : 0;
}

const ENDED: ReadonlySet<number> = new Set([
  InstanceState.STOPPED,
  InstanceState.EXITED,
  InstanceState.FAILED,
  InstanceState.LOST,
]);
