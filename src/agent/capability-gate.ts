/** Where every side effect of a guest is checked, at the moment it happens, against what its instance may do at that moment. */
import type { Clock } from "../clock.ts";
import { fault, isFault, Reason, type Fault } from "../fault.ts";
import type { HttpRequest, HttpResponse } from "../providers/http/http.ts";
import type { KvVerdict } from "../providers/kv/check-kv-call.ts";
import { runKvCall } from "../providers/kv/kv-call.ts";
import type { KvAnswer, KvCall } from "../providers/kv/kv.ts";
import { checkPublish, checkSubscribe } from "../providers/messaging/check-messaging.ts";
import type { Message, MessagingAnswer, MessagingCall, MessagingProvider } from "../providers/messaging/messaging.ts";
import type { Grant } from "../providers/permissions.ts";
import { countedPermission } from "./counted-permission.ts";
import { createKvVerdicts } from "./kv-verdicts.ts";
import { outgoingFault, routeRequest } from "./outgoing-request.ts";
import type { PermissionUses } from "./permission-uses.ts";
import type { ProviderSet } from "./provider-set.ts";
import { createRepeats } from "./repeats.ts";

/** What a gate is given. */
export type CapabilityGateDeps = {
  /** What the instance may do now; `undefined` if it is not live. */
  readonly grantsOf: (id: string) => readonly Grant[] | undefined;
  readonly providers: Pick<ProviderSet, "kv" | "http" | "messaging">;
  readonly uses: Pick<PermissionUses, "count">;
  /** Takes refused operations, those of one second together. */
  readonly onDenied: (id: string, count: number, message: string) => void;
  readonly clock: Clock;
};

/**
 * See the top of the file. Each operation throws `CAPABILITY_DENIED`, `INSTANCE_NOT_RUNNING`, `PROVIDER_NOT_FOUND`,
 * `PROVIDER_STOPPED`, `PROVIDER_UNAVAILABLE` and what the provider throws.
 */
export interface CapabilityGate {
  /** Carries out a key-value call in the name of an instance. */
  kv(id: string, call: KvCall): Promise<KvAnswer>;
  /** Publishes, or asks and waits for the answer, in the name of an instance. */
  messaging(id: string, call: MessagingCall): Promise<MessagingAnswer>;
  /** Sends a request in the name of an instance. Every fault has an `OutgoingHttpError` as its cause. */
  http(id: string, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** Whether an instance may be handed a message now; if not, it counts as a refusal. */
  mayReceive(id: string, message: Message): boolean;
  /** Takes the count of operations that were checked elsewhere, in the guest's own thread. */
  audit(id: string, permission: string, outcome: "used" | "denied", count: number): void;
  /** Hands over refusals that still wait for their second to pass. */
  flush(): void;
}

/** Makes a gate. */
export function createCapabilityGate(deps: CapabilityGateDeps): CapabilityGate {
  const { uses, providers } = deps;
  const checkKv = createKvVerdicts();
  const refusals = createRepeats({ clock: deps.clock, noun: "refusals", tell: deps.onDenied });

  const grantsOf = (id: string, action: string): readonly Grant[] => {
    const grants = deps.grantsOf(id);
    if (grants !== undefined) return grants;
    throw fault(Reason.INSTANCE_NOT_RUNNING, `Cannot ${action}: instance "${id}" is not live`, { subject: id });
  };

  const used = (id: string, permission: string, bucket = ""): void =>
    uses.count(id, { permission, bucket, outcome: "used", count: 1 });

  /** Counts a refusal and gives the fault for it. */
  const denied = (id: string, permissions: readonly string[], message: string, bucket = ""): Fault => {
    for (const permission of permissions) uses.count(id, { permission, bucket, outcome: "denied", count: 1 });
    refusals.add(id, message);
    return fault(Reason.CAPABILITY_DENIED, message, { subject: id });
  };

  return {
    async kv(id, call) {
      const grants = grantsOf(id, "use key-value store");
      const verdict = checkKv(grants, call);
      if (verdict.kind === "denied") {
        const { bucket, needed, deniedBy } = verdict;
        const action = `Cannot ${call.kind} in bucket "${bucket}"`;
        const message =
          deniedBy.length > 0
            ? `${action}: instance "${id}" is denied ${deniedBy.join(" and ")}`
            : `${action}: instance "${id}" has no assignment with ${needed.join(call.kind === "open" ? " or " : " and ")}`;
        throw denied(id, missingPermissions(grants, verdict), message, bucket);
      }
      for (const permission of verdict.used) used(id, permission, call.bucket);
      const { providerId } = verdict.assignment;
      const provider = providers.kv(providerId);
      try {
        return await runKvCall(provider, call);
      } catch (error) {
        throw inOurWords(providerId, error);
      }
    },
    async messaging(id, call) {
      const topic = call.kind === "publish" ? call.message.topic : call.topic;
      const verdict = checkPublish(grantsOf(id, "publish"), topic);
      if (verdict.kind === "denied") {
        const { needed, deniedBy } = verdict;
        const why = deniedBy === undefined ? `has no assignment with ${needed}` : `is denied ${deniedBy}`;
        throw denied(id, [deniedBy ?? needed], `Cannot publish to "${topic}": instance "${id}" ${why}`);
      }
      used(id, verdict.permission);
      const { providerId } = verdict.assignment;
      const provider = providers.messaging(providerId);
      try {
        return await runMessagingCall(provider, call);
      } catch (error) {
        throw inOurWords(providerId, error);
      }
    },
    async http(id, request, signal) {
      try {
        const route = routeRequest(grantsOf(id, "send a request"), request);
        if (route.kind === "denied") {
          throw denied(
            id,
            [route.permission],
            `Cannot send a request to ${request.authority}: instance "${id}" ${route.why}`,
          );
        }
        const { providerId, permission, rules } = route;
        try {
          const provider = providers.http(providerId);
          const response = await provider.send(request, { ...rules, instanceId: id }, signal);
          used(id, permission);
          return response;
        } catch (error) {
          // Denied for the address that the name stands for: the subject says what would be needed.
          if (isFault(error, Reason.CAPABILITY_DENIED)) denied(id, [error.subject || permission], error.message);
          else used(id, permission);
          throw inOurWords(providerId, error);
        }
      } catch (error) {
        throw outgoingFault(error);
      }
    },
    mayReceive(id, { topic }) {
      const grants = deps.grantsOf(id);
      if (grants === undefined) return false;
      const verdict = checkSubscribe(grants, topic);
      if (verdict.kind === "allowed") {
        used(id, verdict.permission);
        return true;
      }
      // Without a denial it was revoked a moment ago: nobody was refused anything.
      if (verdict.deniedBy !== undefined)
        denied(
          id,
          [verdict.deniedBy],
          `Cannot deliver from "${topic}": instance "${id}" is denied ${verdict.deniedBy}`,
        );
      return false;
    },
    audit(id, asked, outcome, count) {
      const permission = countedPermission(deps.grantsOf(id) ?? [], asked, outcome);
      uses.count(id, { permission, bucket: "", outcome, count });
      if (outcome === "denied") refusals.add(id, `Cannot use ${asked}: instance "${id}" is not permitted to`, count);
    },
    flush: () => refusals.flush(),
  };
}

/** What a refused call is counted for: what forbids it, or of what it needs that which is not held. */
function missingPermissions(
  grants: readonly Grant[],
  { needed, deniedBy, bucket }: Extract<KvVerdict, { kind: "denied" }>,
): readonly string[] {
  if (deniedBy.length > 0) return deniedBy;
  const held = grants
    .filter((grant) => grant.type === "kv" && grant.bucket === bucket)
    .flatMap((one) => one.permissions);
  const missing = needed.filter((permission) => !held.includes(permission));
  // `open` needs any one of them, and is one refusal.
  return missing.length === 0 || missing.length === 3 ? needed.slice(0, 1) : missing;
}

async function runMessagingCall(provider: MessagingProvider, call: MessagingCall): Promise<MessagingAnswer> {
  if (call.kind === "request") {
    return { kind: "reply", message: await provider.request(call.topic, call.body, call.timeoutMs) };
  }
  await provider.publish(call.message);
  return { kind: "done" };
}

/** A backend's own failure reaches no guest as it is: it may say more of the node than the guest may know. */
function inOurWords(providerId: string, error: unknown): Fault {
  if (isFault(error)) return error;
  return fault(Reason.PROVIDER_UNAVAILABLE, `Cannot use provider "${providerId}": its backend failed`, {
    subject: providerId,
    cause: error,
  });
}
