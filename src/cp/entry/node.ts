/** A control plane as a Node process: Connect, gRPC, gRPC-Web, JSON by curl, gateway and health on one port. */
import type { Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { reasonName, Reason } from "../../fault.ts";
import { systemClock, systemEntropy, type Clock, type Entropy } from "../../clock.ts";
import { openDirectory } from "../../discovery/directory.ts";
import { openEtcd3Store, type EtcdOptions } from "../../etcd/etcd3-store.ts";
import { assertMayBind, isLoopback } from "../../listen/bind-rule.ts";
import { listenOnePort } from "../../listen/one-port.ts";
import { cutStalledBody } from "../../listen/stalled-body.ts";
import type { Log } from "../../log.ts";
import { rpcClientInterceptors } from "../../rpc/client-interceptors.ts";
import { RPC_READ_MAX_BYTES, RPC_WRITE_MAX_BYTES } from "../../rpc/rpc-limits.ts";
import { createControlPlane } from "../app.ts";
import { gatewayTargetFromUrl } from "../gateway/gateway-route.ts";
import type { ControlPlaneLimits } from "../limits.ts";
import { answerByFetch, hostOf, pathOf, type NodeRequest, type NodeResponse } from "./node-http.ts";

/** How a control plane is served. */
export type ControlPlaneOptions = {
  /** Default 127.0.0.1; another needs a token. */
  readonly host?: string;
  /** Default 7420; 0 takes any free port. */
  readonly port?: number;
  /** What callers must present, and what is presented to agents. */
  readonly token?: string;
  /** How often agents are asked to report. Default 5 s. */
  readonly reportIntervalMs?: number;
  /** More silence than this makes a node suspect. Default: one and a half report intervals. */
  readonly suspectAfterMs?: number;
  /** More silence than this makes it lost. Default: 10 s, or two report intervals if that is longer. */
  readonly lostAfterMs?: number;
  /** Base URLs of agents that are asked for their reports, besides those that report by themselves. */
  readonly agents?: readonly string[];
  /** Where agents are named. */
  readonly etcd?: EtcdOptions;
  readonly limits?: Partial<ControlPlaneLimits>;
  readonly log: Log;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
};

/** A control plane that listens. */
export type RunningControlPlane = {
  /** `http://host:port`, without a path. */
  readonly url: string;
  readonly port: number;
  /** Ends streams, lets requests finish for `graceMs` (default 2 s), then cuts the rest. May be called twice. */
  close(graceMs?: number): Promise<void>;
};

const PORT_DEFAULT = 7420;

/** Listens, or throws `INVALID_REQUEST` naming the flag to change. */
export async function serveControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const { log, token, host = "127.0.0.1", port = PORT_DEFAULT } = options;
  assertMayBind({ host, token, what: "the control plane", hostFlag: "--host" });
  const dialler = createDialler(token);
  const { clock = systemClock, entropy = systemEntropy, suspectAfterMs, lostAfterMs } = options;
  const store = options.etcd === undefined ? undefined : openEtcd3Store(options.etcd);
  const controlPlane = createControlPlane({
    clock,
    entropy,
    log,
    silence: {
      ...(suspectAfterMs === undefined ? {} : { suspectAfterMs }),
      ...(lostAfterMs === undefined ? {} : { lostAfterMs }),
    },
    staticAgents: options.agents,
    openDirectory:
      store === undefined ? undefined : (onNodes) => openDirectory({ store, clock, entropy, log, onNodes }),
    token,
    dial: dialler.dial,
    fetch: (url, init) => fetch(url, init),
    reportIntervalMs: options.reportIntervalMs,
    limits: options.limits,
  });
  const byFetch = (request: NodeRequest, response: NodeResponse): void => {
    answerByFetch(controlPlane.fetch, request, response).catch((error: unknown) => {
      log.error("request failed", {}, error);
      response.destroy();
    });
  };
  const byRpc = connectNodeAdapter({ routes: controlPlane.routes, fallback: byFetch });
  const onePort = await listenOnePort({
    host,
    port,
    portFlag: "--port",
    handler(request, response) {
      // A guest may have a path that is also one of our methods: whom the host or path names comes first.
      if (isForGateway(request)) byFetch(request, response);
      else if (token === undefined && isFromElsewhere(request)) refuseHost(request, response);
      else {
        cutStalledBody(request);
        byRpc(request, response);
      }
    },
  });
  log.info("control plane listens", { url: onePort.url });
  let closed: Promise<void> | undefined;
  const close = async (graceMs?: number): Promise<void> => {
    await controlPlane.close();
    await store?.close();
    await onePort.close(graceMs);
    dialler.close();
  };
  return { url: onePort.url, port: onePort.port, close: (graceMs) => (closed ??= close(graceMs)) };
}

function isForGateway(request: NodeRequest): boolean {
  const url = URL.parse(`http://${hostOf(request)}${pathOf(request)}`);
  return url !== null && gatewayTargetFromUrl(url) !== undefined;
}

/**
 * Whether a browser was led here by a host name that is not this machine's (DNS rebinding): without a token, such a page could
 * otherwise do everything that a user of this machine can.
 */
function isFromElsewhere(request: NodeRequest): boolean {
  const url = URL.parse(`http://${hostOf(request)}/`);
  return url === null || !isLoopback(url.hostname);
}

function refuseHost(request: NodeRequest, response: NodeResponse): void {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "x-wasmatrix-reason": reasonName(Reason.UNAUTHENTICATED),
  };
  response.writeHead(401, headers);
  response.end(
    `UNAUTHENTICATED: Cannot answer for host "${hostOf(request)}": without a token only this machine's own names are served; set --token or WASMATRIX_TOKEN\n`,
  );
}

/** Agents dialled at once; the one dialled first is let go when there are more. */
const SESSIONS_MAX = 10_000;

/** Connections to agents: one HTTP/2 session each, opened when first needed and found dead by pings. */
function createDialler(token: string | undefined): {
  readonly dial: (address: string) => Transport;
  readonly close: () => void;
} {
  const sessions = new Map<string, Http2SessionManager>();
  return {
    dial(address) {
      const session =
        sessions.get(address) ?? new Http2SessionManager(address, { pingIntervalMs: 10_000, pingTimeoutMs: 5_000 });
      sessions.set(address, session);
      const oldest = sessions.keys().next().value;
      if (sessions.size > SESSIONS_MAX && oldest !== undefined) {
        sessions.get(oldest)?.abort();
        sessions.delete(oldest);
      }
      return createConnectTransport({
        httpVersion: "2",
        baseUrl: address,
        sessionManager: session,
        interceptors: rpcClientInterceptors({ token }),
        readMaxBytes: RPC_READ_MAX_BYTES,
        writeMaxBytes: RPC_WRITE_MAX_BYTES,
      });
    },
    close() {
      for (const session of sessions.values()) session.abort();
    },
  };
}
