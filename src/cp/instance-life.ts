/** Where instances are in their lives, as a control plane groups them. Pure. */
import { InstanceState, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";

/** Whether the instance has ended for good. A state that is newer than this program counts as live. */
export function hasEnded(instance: Instance): boolean {
  return ENDED.has(instance.state);
}

const ENDED: ReadonlySet<number> = new Set([
  InstanceState.STOPPED,
  InstanceState.EXITED,
  InstanceState.FAILED,
  InstanceState.LOST,
]);
