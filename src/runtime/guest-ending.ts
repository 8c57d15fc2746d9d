/** What an ending means for those who wait for the guest, and what else callers are told. */
import { fault, Reason, type Fault } from "../fault.ts";
import type { Ending, GuestLimits } from "./runtime.ts";

/** What the caller of a running call is told when the guest ends under it. */
export function faultFromEnding(id: string, ending: Ending): Fault {
  const begin = `Cannot finish call of instance "${id}": `;
  switch (ending.kind) {
    case "trapped":
      return fault(Reason.GUEST_TRAPPED, `${begin}the guest trapped, ${ending.message}`, { subject: id });
    case "limit":
      return ending.limit === "callTimeoutMs"
        ? fault(Reason.CALL_TIMED_OUT, `${begin}it ${ending.message}`, { subject: id })
        : fault(Reason.GUEST_TRAPPED, `${begin}the guest ${ending.message}`, { subject: id });
    case "exited":
      return fault(Reason.GUEST_TRAPPED, `${begin}the guest exited with code ${ending.exitCode}`, { subject: id });
    case "stopped":
      return notRunning(id, "it was stopped");
    case "host-failed":
      return fault(Reason.INTERNAL, `${begin}${ending.message}`, { subject: id });
  }
}

/** What the starter is told when the guest ends before it was ready. */
export function faultFromStart(id: string, ending: Ending, limits: GuestLimits): Fault {
  const begin = `Cannot start instance "${id}": `;
  switch (ending.kind) {
    case "trapped":
      return fault(Reason.GUEST_TRAPPED, `${begin}the guest trapped, ${ending.message}`, { subject: id });
    case "limit":
      return ending.limit === "startTimeoutMs"
        ? fault(Reason.START_TIMED_OUT, `${begin}it was not ready after ${limits.startTimeoutMs} ms`, { subject: id })
        : fault(Reason.GUEST_TRAPPED, `${begin}the guest ${ending.message}`, { subject: id });
    case "exited":
      return fault(Reason.GUEST_TRAPPED, `${begin}the guest exited with code ${ending.exitCode} before it was ready`, {
        subject: id,
      });
    case "stopped":
      return fault(Reason.SHUTTING_DOWN, `${begin}the runtime is closing`, { subject: id });
    case "host-failed":
      return fault(Reason.INTERNAL, `${begin}${ending.message}`, { subject: id });
  }
}

/** What a caller is told who was too slow to send or to read. */
export function callerTooSlow(id: string, limits: GuestLimits): Fault {
  return fault(
    Reason.CALL_TIMED_OUT,
    `Cannot finish call of instance "${id}": its client was too slow (callTimeoutMs is ${limits.callTimeoutMs})`,
    { subject: id },
  );
}

/** What a caller is told whose call had no turn on its thread in all of its time. */
export function callNotBegun(id: string, limits: GuestLimits): Fault {
  return fault(
    Reason.CALL_TIMED_OUT,
    `Cannot call instance "${id}": other instances kept its thread busy (callTimeoutMs is ${limits.callTimeoutMs})`,
    { subject: id },
  );
}

/** What a caller is told whose call had begun when its thread was ended because of another guest, or failed. */
export function interrupted(id: string): Fault {
  return fault(
    Reason.CALL_INTERRUPTED,
    `Cannot finish call of instance "${id}": its thread was ended because of another instance, and the call had begun`,
    { subject: id },
  );
}

/** What a caller is told of a guest that takes no calls, or no more. */
export function notRunning(id: string, state: string): Fault {
  return fault(Reason.INSTANCE_NOT_RUNNING, `Cannot call instance "${id}": ${state}`, { subject: id });
}

/** What a caller is told who gave up. */
export function canceled(id: string): Fault {
  return fault(Reason.CANCELED, `Cannot call instance "${id}": the caller went away`, { subject: id });
}
