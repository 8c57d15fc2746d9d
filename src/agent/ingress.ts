/** The node's front door for HTTP: passes requests to the instances that serve a name, streaming both ways. */
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { Entropy } from "../clock.ts";
import { fault, isFault, Reason, reasonName, type Fault } from "../fault.ts";
import type { Log, LogFields } from "../log.ts";
import { REQUEST_ID_HEADER, requestIdFromHeader } from "../rpc/request-id.ts";
import { drainRest } from "../listen/unread-body.ts";
import { passOn, refuse, type IngressInstance } from "./ingress-exchange.ts";
import { httpStatusFromReason } from "../http/http-status.ts";
import { INSTANCE_HEADER } from "../http/instance-address.ts";
import { clientView, routeFromRequest } from "./ingress-route.ts";

/** Where the ingress finds instances. */
export interface IngressTargets {
  /** Running HTTP instances of a name. */
  running(name: string): readonly IngressInstance[];
  /** Why none runs: whether a live HTTP instance has the name at all. */
  isKnown(name: string): boolean;
}

/** What the ingress is given. */
export type IngressOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly portFlag: string;
  readonly targets: IngressTargets;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Connections at once; one more is refused. Default 4,096. */
  readonly connectionsMax?: number;
  /** All headers of one request together. Default 32 KiB. */
  readonly headersMaxBytes?: number;
};

/** A listening ingress. */
export type Ingress = {
  readonly port: number;
  /** `http://host:port`, without a path. */
  readonly url: string;
  /** Takes no new connections, lets requests finish for `graceMs` (default 2 s), then cuts the rest. May be called twice. */
  close(graceMs?: number): Promise<void>;
};

/** Listens on HTTP/1.1; throws `INVALID_REQUEST` naming the flag if the port is taken. */
export async function openIngress(options: IngressOptions): Promise<Ingress> {
  const { targets, entropy, log } = options;
  /** Requests in flight by instance id; gone when none is. */
  const inFlight = new Map<string, number>();
  let turn = 0;

  const begun = (id: string): void => void inFlight.set(id, (inFlight.get(id) ?? 0) + 1);
  const ended = (id: string): void => {
    const left = (inFlight.get(id) ?? 1) - 1;
    if (left === 0) inFlight.delete(id);
    else inFlight.set(id, left);
  };

  const serve = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const requestId = requestIdFromHeader(headerOf(request, REQUEST_ID_HEADER) ?? null, entropy);
    let fields: LogFields = { requestId };
    try {
      const host = request.headers.host ?? "";
      const target = routeFromRequest({ host, url: request.url ?? "/" });
      if (target.kind === "none") {
        throw fault(
          Reason.NAME_NOT_SERVED,
          `Cannot serve ${host}: name an instance as NAME.localhost or by path as /-/NAME/`,
          { subject: host },
        );
      }
      const wantedId = headerOf(request, INSTANCE_HEADER);
      const instance = chooseInstance({ name: target.name, wantedId, targets, inFlight, turn: turn++ });
      const gatewayHost = wantedId === undefined ? undefined : headerOf(request, "x-forwarded-host");
      const view = clientView({ host, prefix: target.prefix, gatewayHost });
      fields = { requestId, name: target.name, instance: instance.id };
      begun(instance.id);
      try {
        await passOn({ request, response, pathWithQuery: target.pathWithQuery, view, instance, requestId });
      } finally {
        ended(instance.id);
      }
      log.debug("ingress", { ...fields, status: response.statusCode });
    } catch (error) {
      if (isFault(error)) logRefusal(log, error, fields);
      else log.error("ingress failed", fields, error);
      const internal = `Internal error: the log has it under request id ${requestId}`;
      refuse(response, isFault(error) ? error : fault(Reason.INTERNAL, internal), requestId);
    } finally {
      drainRest(request);
    }
  };

  const server = http.createServer(
    { maxHeaderSize: options.headersMaxBytes ?? 32 * 1024, headersTimeout: 15_000, connectionsCheckingInterval: 1_000 },
    (request, response) => void serve(request, response),
  );
  // The call timeout of the guest bounds a request, its body included; a fixed one would cut long uploads.
  server.requestTimeout = 0;
  server.maxConnections = options.connectionsMax ?? 4_096;
  await listen(server, options);

  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  return {
    port,
    url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    close: (graceMs = 2_000) => (closed ??= close(server, graceMs)),
  };
}

/** The very instance that a gateway asks for, or the least busy one of the name; equals take turns. */
function chooseInstance(choice: {
  readonly name: string;
  readonly wantedId: string | undefined;
  readonly targets: IngressTargets;
  readonly inFlight: ReadonlyMap<string, number>;
  readonly turn: number;
}): IngressInstance {
  const { name, wantedId, targets } = choice;
  const running = targets.running(name);
  const candidates = wantedId === undefined ? running : running.filter(({ id }) => id === wantedId);
  const [first] = candidates;
  if (first !== undefined && candidates.length === 1) return first;
  const busy = (instance: IngressInstance): number => choice.inFlight.get(instance.id) ?? 0;
  const least = Math.min(...candidates.map(busy));
  const idlest = candidates.filter((instance) => busy(instance) === least);
  const chosen = idlest[choice.turn % idlest.length];
  if (chosen !== undefined) return chosen;
  if (running.length === 0 && !targets.isKnown(name)) {
    throw fault(Reason.NAME_NOT_SERVED, `Cannot serve "${name}": no instance on this node has the name`, {
      subject: name,
    });
  }
  const what =
    wantedId === undefined ? "none of its instances runs now" : `instance "${wantedId}" does not run here now`;
  throw fault(Reason.INSTANCE_NOT_RUNNING, `Cannot serve "${name}": ${what}`, { subject: name });
}

/** What went wrong behind the door is told by default; a client's own mistake, such as a name that nobody has, is not. */
function logRefusal(log: Log, refusal: Fault, fields: LogFields): void {
  const told = { ...fields, reason: reasonName(refusal.reason), why: refusal.message };
  if (httpStatusFromReason(refusal.reason) >= 500) log.info("ingress refused", told);
  else log.debug("ingress refused", told);
}

function headerOf(request: http.IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function listen(server: http.Server, options: IngressOptions): Promise<void> {
  const where = `${options.host}:${options.port}`;
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE" ? `port is taken; choose another with ${options.portFlag}` : error.message;
      reject(fault(Reason.INVALID_REQUEST, `Cannot listen on ${where}: ${why}`, { subject: where, cause: error }));
    });
    server.listen(options.port, options.host, () => {
      server.removeAllListeners("error");
      // After listening, errors are those of accepting one connection (out of descriptors); the others go on.
      server.on("error", (error) => options.log.warn("ingress could not accept a connection", { why: error.message }));
      resolve();
    });
  });
}

async function close(server: http.Server, graceMs: number): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await ended;
  clearTimeout(cut);
}
