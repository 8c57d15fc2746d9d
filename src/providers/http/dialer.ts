/** Finds or opens the connection for a request: resolves the name, checks each address, dials exactly what it checked. */
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { Clock } from "../../clock.ts";
import { Reason } from "../../fault.ts";
import { checkHttpAddress } from "./check-http.ts";
import { connectionFromSocket, type Connection } from "./connection.ts";
import type { HttpCaller } from "./http.ts";
import { connectFailure, faultFromHttpFailure, type HttpFailure } from "./http-failure.ts";
import type { HttpLimits } from "./http-limits.ts";
import type { IdleConnections } from "./idle-connections.ts";
import { ipFromText } from "./ip-address.ts";
import type { Lookup } from "./name-resolver.ts";
import { openSocket, trustFrom } from "./open-socket.ts";
import type { OutgoingHead } from "./outgoing-head.ts";
import { untilAborted } from "./request-body.ts";

/** What a dialer is given. */
export type DialerDeps = {
  readonly limits: HttpLimits;
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly idle: IdleConnections;
  /** Certificate authorities to trust besides the host's own, in PEM. */
  readonly extraCa: readonly string[];
};

/** A connection that is wanted. */
export type DialPlan = {
  readonly head: OutgoingHead;
  /** As the guest wrote it, for messages. */
  readonly authority: string;
  readonly caller: HttpCaller;
  readonly timeoutMs: number;
  /** Whether one that has carried a request before will do. */
  readonly mayReuse: boolean;
  /** Its reason, a `Fault`, gives the attempt up. */
  readonly signal: AbortSignal;
};

/** See the top of the file. */
export interface Dialer {
  /** Throws `CAPABILITY_DENIED` or `PROVIDER_UNAVAILABLE`, as the provider's `send` does. */
  dial(plan: DialPlan): Promise<Connection>;
}

/** Makes a dialer. */
export function createDialer(deps: DialerDeps): Dialer {
  const { limits, lookup, clock, idle } = deps;
  // Made when first needed: reading the host's authorities takes a while.
  let trust: SecureContext | undefined;

  const resolved = async (plan: DialPlan, signal: AbortSignal): Promise<readonly string[]> => {
    const { host } = plan.head.target;
    if (ipFromText(host) !== undefined) return [host];
    try {
      const addresses = await untilAborted(lookup(host), signal);
      if (addresses.length > 0) return addresses;
    } catch (error) {
      if (signal.aborted) throw error;
      throw fail(plan, unavailable("DNS-error", `its name cannot be resolved (${textOf(error)})`, error));
    }
    throw fail(plan, unavailable("DNS-error", "its name has no address"));
  };

  const open = async (plan: DialPlan, addresses: readonly string[], signal: AbortSignal): Promise<Connection> => {
    trust ??= trustFrom(deps.extraCa);
    let failure: HttpFailure | undefined;
    for (const [index, address] of addresses.entries()) {
      const isLast = index === addresses.length - 1;
      const attempt = new AbortController();
      // The last one has what is left of the whole time.
      const cancel = isLast
        ? undefined
        : clock.after(plan.timeoutMs / addresses.length, () =>
            attempt.abort(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })),
          );
      try {
        const socket: Socket = await openSocket({
          target: plan.head.target,
          address,
          trust,
          signal: AbortSignal.any([signal, attempt.signal]),
        });
        return connectionFromSocket(socket, plan.head.origin, keyOf(plan, address), limits);
      } catch (error) {
        if (signal.aborted) throw error;
        // What the caller gets to hear is why the last address could not be reached.
        failure = connectFailure(error);
      } finally {
        cancel?.();
      }
    }
    throw fail(plan, failure ?? unavailable("DNS-error", "its name has no address"));
  };

  return {
    async dial(plan) {
      const late = new AbortController();
      const signal = AbortSignal.any([plan.signal, late.signal]);
      let code = "DNS-timeout";
      const cancel = clock.after(plan.timeoutMs, () => {
        const what = code === "DNS-timeout" ? "its name was not resolved" : "there was no connection";
        late.abort(fail(plan, unavailable(code, `${what} within ${plan.timeoutMs} ms`)));
      });
      try {
        const addresses = allowedAddresses(plan, await resolved(plan, signal)).slice(0, limits.addressesTriedMax);
        code = "connection-timeout";
        if (plan.mayReuse) {
          for (const address of addresses) {
            const connection = idle.take(keyOf(plan, address));
            if (connection !== undefined) return connection;
          }
        }
        return await open(plan, addresses, signal);
      } finally {
        cancel();
      }
    },
  };
}

/** Those that the caller may reach; if it may reach none, throws why it may not reach the first. */
function allowedAddresses(plan: DialPlan, addresses: readonly string[]): readonly string[] {
  const { caller, head } = plan;
  const verdicts = addresses.map((address) => ({ address, verdict: checkHttpAddress(caller, head.target, address) }));
  const allowed = verdicts.filter(({ verdict }) => verdict.kind === "allowed").map(({ address }) => address);
  const first = verdicts[0];
  if (allowed.length > 0 || first?.verdict.kind !== "denied") return allowed;
  const { address, verdict } = first;
  const why =
    verdict.deniedBy === undefined
      ? `its address ${address} is ${verdict.special ?? "special"}, which takes the permission "${verdict.needed}" by itself`
      : `its address ${address} is denied by "${verdict.deniedBy}"`;
  throw faultFromHttpFailure(
    plan.authority,
    { reason: Reason.CAPABILITY_DENIED, code: "destination-IP-prohibited", problem: why },
    verdict.deniedBy ?? verdict.needed,
  );
}

/** One instance's connections are never another's: what a guest got a server to send too much would be read by the other. */
function keyOf(plan: DialPlan, address: string): string {
  return `${plan.caller.instanceId}\n${plan.head.origin}\n${address}`;
}

function fail(plan: DialPlan, failure: HttpFailure): Error {
  return faultFromHttpFailure(plan.authority, failure);
}

function unavailable(code: string, problem: string, cause?: unknown): HttpFailure {
  return { reason: Reason.PROVIDER_UNAVAILABLE, code, problem, cause };
}

function textOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}
