/** Outgoing HTTP/1.1 for guests: checks where a request goes by name and by address, and connects to exactly what it checked. */
import { systemClock, type Clock } from "../../clock.ts";
import { Reason } from "../../fault.ts";
import { checkHttpTarget } from "./check-http.ts";
import { createDialer } from "./dialer.ts";
import { startExchange, type Exchange } from "./exchange.ts";
import type { HttpCaller, HttpProvider, HttpRequest, HttpResponse } from "./http.ts";
import { faultFromHttpFailure, type HttpFailure } from "./http-failure.ts";
import { httpLimitsFrom, type HttpLimits } from "./http-limits.ts";
import { createIdleConnections } from "./idle-connections.ts";
import { rememberingLookup, systemLookup, type Lookup } from "./name-resolver.ts";
import { outgoingHeadFrom, type OutgoingHead } from "./outgoing-head.ts";
import { createRequestSlots } from "./request-slots.ts";

/** Options of `createHttpProvider`. */
export type HttpProviderOptions = {
  /** Those that differ from `HTTP_DEFAULT_LIMITS`. */
  readonly limits?: Partial<HttpLimits>;
  /** Certificate authorities to trust besides the host's own, in PEM. */
  readonly extraCa?: readonly string[];
};

/** What may be replaced, for tests and simulations. */
export type HttpProviderDeps = {
  /** Default: the host's resolver. */
  readonly lookup?: Lookup;
  readonly clock?: Clock;
};

/** Makes a provider. Throws `LIMIT_INVALID`. */
export function createHttpProvider(options: HttpProviderOptions = {}, deps: HttpProviderDeps = {}): HttpProvider {
  const limits = httpLimitsFrom(options.limits);
  const clock = deps.clock ?? systemClock;
  const lookup = rememberingLookup(deps.lookup ?? systemLookup, limits, clock);
  const slots = createRequestSlots(limits);
  const idle = createIdleConnections(limits);
  const dialer = createDialer({ limits, lookup, clock, idle, extraCa: options.extraCa ?? [] });
  /** What cuts each request that is under way. */
  const underWay = new Set<AbortController>();
  let onQuiet: () => void = () => undefined;
  let isStopped = false;

  const begin = async (
    head: OutgoingHead,
    request: HttpRequest,
    caller: HttpCaller,
    signal: AbortSignal,
    mayReuse: boolean,
  ): Promise<Exchange> => {
    const timeoutMs = Math.min(request.connectTimeoutMs ?? Infinity, limits.connectMaxMs);
    const connection = await dialer.dial({ head, authority: request.authority, caller, timeoutMs, mayReuse, signal });
    const exchange = startExchange({ connection, head, request, limits, clock, signal });
    void exchange.free.then(() => idle.keep(connection));
    return exchange;
  };

  /**
   * Sends the request a second time, on a new connection, if a kept one turned out to have been closed by the peer, and it can do
   * no harm: no body was begun, and the method is one that may be repeated. This is the only retry there is.
   */
  const exchanged = async (
    head: OutgoingHead,
    request: HttpRequest,
    caller: HttpCaller,
    signal: AbortSignal,
  ): Promise<{ readonly response: HttpResponse; readonly ended: Promise<void> }> => {
    const first = await begin(head, request, caller, signal, true);
    try {
      return { response: await first.response, ended: first.ended };
    } catch (error) {
      if (!first.isStale() || request.body !== undefined || !REPEATABLE.has(head.method)) throw error;
    }
    const second = await begin(head, request, caller, signal, false);
    return { response: await second.response, ended: second.ended };
  };

  return {
    async send(request, caller, signal) {
      const { authority } = request;
      if (isStopped) throw faultFromHttpFailure(authority, STOPPED);
      const head = outgoingHeadFrom(request, limits);
      assertPermitted(head, authority, caller);
      const release = slots.take(caller.instanceId);
      if (typeof release !== "function") throw faultFromHttpFailure(authority, release);

      const cut = new AbortController();
      underWay.add(cut);
      const onAbort = (): void => cut.abort(faultFromHttpFailure(authority, CANCELED));
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort);
      const cancelTotal = clock.after(limits.totalMaxMs, () =>
        cut.abort(faultFromHttpFailure(authority, tookTooLong(limits))),
      );
      const finish = (): void => {
        cancelTotal();
        signal.removeEventListener("abort", onAbort);
        release();
        underWay.delete(cut);
        if (underWay.size === 0) onQuiet();
      };
      try {
        const { response, ended } = await exchanged(head, request, caller, cut.signal);
        void ended.then(finish);
        return response;
      } catch (error) {
        finish();
        throw error;
      }
    },

    async close(graceMs) {
      isStopped = true;
      idle.close();
      if (underWay.size === 0) return;
      await new Promise<void>((resolve) => {
        const earlier = onQuiet;
        const cancel = clock.after(graceMs, () => {
          for (const cut of underWay) cut.abort(faultFromHttpFailure("the outside", STOPPED));
        });
        onQuiet = () => {
          cancel();
          earlier();
          resolve();
        };
      });
    },
  };
}

/** Methods that RFC 9110 calls idempotent, as far as they come without a body. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

const STOPPED: HttpFailure = {
  reason: Reason.PROVIDER_STOPPED,
  code: "internal-error",
  problem: "the HTTP provider is stopped",
};

const CANCELED: HttpFailure = {
  reason: Reason.CANCELED,
  code: "connection-terminated",
  problem: "the request was given up",
};

function tookTooLong({ totalMaxMs }: HttpLimits): HttpFailure {
  const problem = `request and response took longer than ${totalMaxMs} ms`;
  return { reason: Reason.PROVIDER_LIMIT, code: "HTTP-response-timeout", problem };
}

function assertPermitted(head: OutgoingHead, authority: string, caller: HttpCaller): void {
  const verdict = checkHttpTarget(caller, head.target);
  if (verdict.kind === "allowed") return;
  const { needed, deniedBy } = verdict;
  const problem =
    deniedBy === undefined ? `the permission "${needed}" is not granted` : `that is denied by "${deniedBy}"`;
  throw faultFromHttpFailure(
    authority,
    { reason: Reason.CAPABILITY_DENIED, code: "HTTP-request-denied", problem },
    deniedBy ?? needed,
  );
}
