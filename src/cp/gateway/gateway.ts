/** HTTP into instances through the control plane: any replica is a front door to all nodes. */
import type { Clock, Entropy } from "../../clock.ts";
import { fault, isFault, Reason, reasonName, type Fault } from "../../fault.ts";
import { GuestKind, InstanceState, InstanceStateSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { Log, LogFields } from "../../log.ts";
import { REQUEST_ID_HEADER, requestIdFromHeader } from "../../rpc/request-id.ts";
import { within } from "../../rpc/deadline.ts";
import type { Fleet } from "../fleet.ts";
import type { FleetReader } from "../fleet-reader.ts";
import { hasEnded } from "../instance-life.ts";
import type { ControlPlaneLimits } from "../limits.ts";
import type { Fetch } from "../modules/module-fetch.ts";
import { wasNeverSent } from "../node-agents.ts";
import { createSlots } from "../../rpc/slots.ts";
import { observed, takeBody, type GatewayBody } from "./gateway-body.ts";
import { downstreamHeaders, upstreamHeaders } from "./gateway-headers.ts";
import { plainFault } from "./plain-fault.ts";
import type { GatewayTarget } from "./gateway-route.ts";

/** Passes HTTP requests to instances. */
export interface Gateway {
  /** The instance's response, or one that says in a plain sentence why there is none. Never throws. */
  handle(request: Request, target: GatewayTarget): Promise<Response>;
}

/** What a gateway needs. */
export type GatewayDeps = {
  readonly fleet: Fleet;
  readonly reader: FleetReader;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly limits: ControlPlaneLimits;
  /** Called once for each request. */
  readonly onResponse: (status: number) => void;
};

/** Instances that a request is offered to while none could be connected to. */
const ATTEMPTS_MAX = 3;

/** An instance and where its node takes HTTP. */
type Candidate = { readonly instance: Instance; readonly ingress: string };

/** Makes a gateway. Load is shared by requests in flight, as this control plane sees them. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { limits } = deps;
  const slots = createSlots(limits.gatewayRequestsMax, "requests through the gateway");
  const inFlight = new Map<string, number>();
  let turn = 0;

  const begin = (instanceId: string): (() => void) => {
    inFlight.set(instanceId, (inFlight.get(instanceId) ?? 0) + 1);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const left = (inFlight.get(instanceId) ?? 1) - 1;
      if (left > 0) inFlight.set(instanceId, left);
      else inFlight.delete(instanceId);
    };
  };

  /** Least requests in flight first; equals take turns. */
  const inOrder = (candidates: readonly Candidate[]): readonly Candidate[] => {
    const start = turn++ % Math.max(1, candidates.length);
    const rotated = [...candidates.slice(start), ...candidates.slice(0, start)];
    const load = ({ instance }: Candidate): number => inFlight.get(instance.id) ?? 0;
    return rotated.sort((a, b) => load(a) - load(b));
  };

  async function handle(request: Request, target: GatewayTarget, requestId: string): Promise<Response> {
    const release = slots.take("Cannot pass request on");
    try {
      const candidates = inOrder(candidatesFor(target.name, deps));
      const bodyMaxBytes = Math.min(limits.gatewayRequestBodyMaxBytes, mostTaken(candidates));
      const reading = takeBody(request, bodyMaxBytes);
      const body = await within(deps.clock, limits.gatewayTimeoutMs, reading, () =>
        fault(
          Reason.CALL_TIMED_OUT,
          `Cannot pass request on: its body did not come within ${limits.gatewayTimeoutMs} ms`,
        ),
      );
      if (body.exceeded()) throw bodyTooLarge(bodyMaxBytes);
      return await offer(candidates.slice(0, ATTEMPTS_MAX), (candidate) =>
        pass({ request, target, requestId, body, bodyMaxBytes }, candidate, release),
      );
    } catch (error) {
      release();
      throw error;
    }
  }

  /** The one place that retries: only what reached nobody, and only if its body can be sent again. */
  async function offer(
    candidates: readonly Candidate[],
    attempt: (candidate: Candidate) => Promise<Response | Fault>,
  ): Promise<Response> {
    let last: Fault | undefined;
    for (const candidate of candidates) {
      const outcome = await attempt(candidate);
      if (!isFault(outcome)) return outcome;
      last = outcome;
    }
    throw last ?? fault(Reason.INTERNAL, "Cannot pass request on: it was offered to nobody");
  }

  type Passage = {
    readonly request: Request;
    readonly target: GatewayTarget;
    readonly requestId: string;
    readonly body: GatewayBody;
    readonly bodyMaxBytes: number;
  };

  /** The response; or, as a value, the fault after which another instance may be tried. */
  async function pass(
    { request, target, requestId, body, bodyMaxBytes }: Passage,
    { instance, ingress }: Candidate,
    release: () => void,
  ): Promise<Response | Fault> {
    const ended = begin(instance.id);
    const timeout = new AbortController();
    const cancel = deps.clock.after(limits.gatewayTimeoutMs, () => timeout.abort());
    const url = new URL(request.url);
    const init: RequestInit & { duplex: "half" } = {
      method: request.method,
      headers: upstreamHeaders(request, url, { instanceId: instance.id, requestId }),
      redirect: "manual",
      signal: AbortSignal.any([request.signal, timeout.signal]),
      duplex: "half",
      ...(body.body === undefined ? {} : { body: body.body }),
    };
    try {
      const response = await deps.fetch(`${ingress}/-/${target.name}${target.pathWithQuery}`, init);
      const finish = (): void => {
        ended();
        release();
      };
      const passed = response.body === null ? null : observed(response.body, finish);
      if (passed === null) finish();
      return new Response(passed, { status: response.status, headers: downstreamHeaders(response, requestId) });
    } catch (error) {
      ended();
      if (body.exceeded()) throw bodyTooLarge(bodyMaxBytes);
      if (timeout.signal.aborted)
        throw fault(
          Reason.CALL_TIMED_OUT,
          `Cannot answer: instance "${instance.id}" did not begin to answer within ${limits.gatewayTimeoutMs} ms`,
          { subject: instance.id },
        );
      if (request.signal.aborted) throw fault(Reason.CANCELED, "Request was given up by its client", { cause: error });
      const unreachable = fault(
        Reason.NODE_UNREACHABLE,
        `Cannot pass request on: node "${instance.nodeId}" does not answer`,
        { subject: instance.nodeId, cause: error },
      );
      if (body.replayable && wasNeverSent(error)) return unreachable;
      throw unreachable;
    } finally {
      cancel();
    }
  }

  return {
    async handle(request, target) {
      const requestId = requestIdFromHeader(request.headers.get(REQUEST_ID_HEADER), deps.entropy);
      const fields = { name: target.name, requestId };
      let refusal: LogFields = {};
      const response = await handle(request, target, requestId).catch((error: unknown) => {
        // The client is told here; a fault of ours is logged with its cause, a client's is its own.
        if (isFault(error)) refusal = { reason: reasonName(error.reason), why: error.message };
        else deps.log.error("gateway failed", fields, error);
        return plainFault(
          isFault(error)
            ? error
            : fault(Reason.INTERNAL, `Internal error: the log has it under request id ${requestId}`),
          requestId,
        );
      });
      deps.onResponse(response.status);
      const told = { ...fields, status: response.status, ...refusal };
      // What we could not do is told by default; what a guest answers, and names that nobody has, are not.
      if (refusal["reason"] !== undefined && response.status >= 500) deps.log.info("gateway refused", told);
      else deps.log.debug("gateway", told);
      return response;
    },
  };
}

/** The running HTTP instances of a name. Throws `NAME_NOT_SERVED` if none is live, or `INSTANCE_NOT_RUNNING` if none runs just now. */
function candidatesFor(name: string, deps: GatewayDeps): readonly Candidate[] {
  const live = deps.reader.named(name).filter((instance) => !hasEnded(instance) && SERVING_KINDS.has(instance.kind));
  if (live.length === 0) {
    throw fault(Reason.NAME_NOT_SERVED, `Cannot pass request on: no live HTTP instance has the name "${name}"`, {
      subject: name,
    });
  }
  const running = live.filter((instance) => instance.state === InstanceState.RUNNING);
  const candidates = running.flatMap((instance) => {
    const ingress = deps.fleet.node(instance.nodeId)?.fold.announced.info.ingressAddress ?? "";
    return ingress === "" ? [] : [{ instance, ingress: ingress.replace(/\/$/, "") }];
  });
  if (candidates.length > 0) return candidates;
  const states = [
    ...new Set(live.map(({ state }) => (InstanceStateSchema.value[state]?.localName ?? "unknown").toLowerCase())),
  ].join(", ");
  throw fault(
    Reason.INSTANCE_NOT_RUNNING,
    `Cannot pass request on: no instance of "${name}" can take it (${live.length} live: ${states})`,
    { subject: name },
  );
}

/** The largest request body, in bytes, that any of these takes: more need not be sent to a node to be refused there. */
function mostTaken(candidates: readonly Candidate[]): number {
  const most = candidates.map(({ instance }) => Number(instance.limits?.requestBodyMaxBytes ?? 0n));
  // An agent that does not say its limits holds them all the same.
  return Math.max(...most.map((bytes) => (bytes > 0 ? bytes : Number.POSITIVE_INFINITY)));
}

/** What may answer HTTP; while an instance is being started its kind may not be known yet. */
const SERVING_KINDS: ReadonlySet<GuestKind> = new Set([GuestKind.HTTP, GuestKind.UNSPECIFIED]);

function bodyTooLarge(maxBytes: number): Fault {
  return fault(Reason.BODY_TOO_LARGE, `Cannot pass request on: its body exceeds ${maxBytes} bytes`);
}
