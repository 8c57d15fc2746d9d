/** Brings messages to instances: keeps their subscriptions as their grants say, for as long as their guests run. */
import { fault, isFault, Reason } from "../fault.ts";
import type { Log } from "../log.ts";
import { subscriptionsFromGrants, type GrantedSubscription } from "../providers/messaging/check-messaging.ts";
import type { Message, MessagingProvider } from "../providers/messaging/messaging.ts";
import type { Guest } from "../runtime/runtime.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";

/** What deliveries need. */
export type MessageDeliveriesDeps = {
  /** Throws if the provider takes no calls now. */
  readonly messaging: (providerId: string) => MessagingProvider;
  /** Whether the instance may be handed the message now; counts it. */
  readonly mayReceive: (id: string, message: Message) => boolean;
  /** Takes each message that an instance failed to take. */
  readonly onFailed: (id: string, message: string) => void;
  readonly log: Log;
};

/** See the top of the file. */
export interface MessageDeliveries {
  /**
   * Makes the subscriptions of an instance what its record says. Resolves when that is in force: later messages of a topic that went away are not
   * delivered. Never rejects.
   */
  follow(record: InstanceRecord, guest: Guest | undefined): Promise<void>;
}

/** No subscriptions yet. */
export function createMessageDeliveries(deps: MessageDeliveriesDeps): MessageDeliveries {
  const members = new Map<string, Member>();

  const deliver = async (member: Member, message: Message): Promise<void> => {
    const { id, guest } = member;
    if (guest === undefined) {
      throw fault(Reason.INSTANCE_NOT_RUNNING, `Cannot deliver to instance "${id}": it does not run`, { subject: id });
    }
    // Dropped, not failed: another try would not be permitted either.
    if (!deps.mayReceive(id, message)) return;
    try {
      await guest.deliver(message);
    } catch (error) {
      const why = isFault(error) ? error.message : "the runtime failed";
      if (!isFault(error)) deps.log.error("message not delivered", { instance: id }, error);
      deps.onFailed(id, `Cannot deliver a message from "${message.topic}": ${why}`);
      throw error;
    }
  };

  const change = async (member: Member): Promise<void> => {
    const wanted = new Map(member.wanted.map((one) => [`${one.providerId} ${one.topic}`, one]));
    for (const [key, held] of member.held) {
      // Of a provider that was stopped and started nothing is left.
      if (wanted.has(key) && held.provider === providerOf(deps, held.providerId)) continue;
      member.held.delete(key);
      // A delivery that has begun may finish in its own time; one that has not is stopped by `mayReceive`.
      held.end().catch((error: unknown) => {
        // It was closed: it delivers nothing any more.
        deps.log.debug("subscription not ended", { instance: member.id, why: String(error) });
      });
    }
    for (const [key, { providerId, topic }] of wanted) {
      if (member.held.has(key)) continue;
      const provider = providerOf(deps, providerId);
      // A stopped provider delivers nothing; when it is started again, this is asked anew.
      if (provider === undefined) continue;
      try {
        const end = await provider.subscribe({
          topic,
          group: member.group,
          deliver: (message) => deliver(member, message),
        });
        member.held.set(key, { providerId, provider, end });
      } catch (error) {
        // The instance runs on without this topic; the log and a fact of the instance say so.
        const why = isFault(error) ? error.message : String(error);
        deps.log.warn("instance not subscribed", { instance: member.id, topic, why });
        deps.onFailed(member.id, `Cannot subscribe to "${topic}": ${why}`);
      }
    }
  };

  return {
    follow(record, guest) {
      const { id } = record;
      const isTaking = record.kind === "messaging" && record.state === "running" && guest !== undefined;
      let member = members.get(id);
      if (member === undefined) {
        if (!isTaking) return Promise.resolve();
        const group = record.spec.name || id;
        members.set(id, (member = { id, group, guest, wanted: [], held: new Map(), busy: Promise.resolve() }));
      }
      const current = member;
      current.guest = isTaking ? guest : undefined;
      current.wanted = isTaking ? subscriptionsFromGrants(record.grants) : [];
      if (hasEnded(record)) members.delete(id);
      // One change at a time; each goes by what is wanted when its turn comes.
      return (current.busy = current.busy.then(() => change(current)));
    },
  };
}

type Held = { readonly providerId: string; readonly provider: MessagingProvider; readonly end: () => Promise<void> };

type Member = {
  readonly id: string;
  /** Instances of one name share the messages of a topic. */
  readonly group: string;
  guest: Guest | undefined;
  wanted: readonly GrantedSubscription[];
  readonly held: Map<string, Held>;
  busy: Promise<void>;
};

function providerOf(deps: MessageDeliveriesDeps, providerId: string): MessagingProvider | undefined {
  try {
    return deps.messaging(providerId);
  } catch {
    // Stopped, not opened or not there: nothing to subscribe to.
    return undefined;
  }
}
