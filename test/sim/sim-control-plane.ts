/** A simulated host with production's control plane on it, which forgets all when it dies. */
import type { Interceptor } from "@connectrpc/connect";
import { createControlPlane } from "../../src/cp/app.ts";
import { openDirectory } from "../../src/discovery/directory.ts";
import type { ReportStatusRequest } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import type { Log } from "../../src/log.ts";
import type { Network } from "./network.ts";
import { entropyFrom, type Random } from "./random.ts";
import type { SimEtcd } from "./sim-etcd.ts";
import { startSimProcess, type SimProcess } from "./sim-process.ts";
import { knowNoFleetService, noteOrders, tapReservations, tapStreamedReports } from "./taps.ts";
import type { Timeline } from "./timeline.ts";

/** What a host is given. */
export type SimControlPlaneDeps = {
  readonly name: string;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly log: Log;
  /** Agents that it reads reports from by itself. */
  readonly staticAgents: readonly string[];
  /** Where it finds more of them, if anywhere. */
  readonly etcd: SimEtcd | undefined;
  /** Whether it is of a version before NodeFleetService. */
  readonly isOld: boolean;
  readonly onReport: (report: ReportStatusRequest) => void;
  readonly onReservationFailed: (instanceId: string, why: string) => void;
  /** Takes lines of a trace, if there is to be one. */
  readonly note: ((line: string) => void) | undefined;
};

/** See the top of the file. */
export interface SimControlPlane {
  readonly name: string;
  readonly address: string;
  readonly isOld: boolean;
  readonly skew: { offsetMs: number; rate: number };
  /** Undefined while it is down. */
  readonly process: SimProcess | undefined;
  readonly bootedAtMs: number;
  boot(): void;
  kill(silently?: "silently"): void;
}

/** Makes a host that is down. */
export function createSimControlPlane(deps: SimControlPlaneDeps): SimControlPlane {
  const { name, timeline, network, etcd, log } = deps;
  const skew = { offsetMs: deps.random.whole(-2_000, 2_000), rate: 1 + (deps.random.fraction() - 0.5) / 50 };
  const address = `http://${name}`;
  const interceptors = deps.isOld
    ? [knowNoFleetService]
    : [tapReservations(deps.onReservationFailed), tapStreamedReports(deps.onReport)];
  const noting = (who: string, to: string): readonly Interceptor[] =>
    deps.note === undefined ? [] : [noteOrders(who, to, deps.note)];
  let life = 0;
  let process: SimProcess | undefined;
  let bootedAtMs = 0;
  return {
    name,
    address,
    isOld: deps.isOld,
    skew,
    get process() {
      return process?.isAlive === true ? process : undefined;
    },
    get bootedAtMs() {
      return bootedAtMs;
    },
    boot() {
      const mine = startSimProcess(`${name}#${++life}`, timeline, () => skew);
      const peer = { host: name, process: mine };
      const entropy = entropyFrom(deps.random.fork(mine.name));
      process = mine;
      bootedAtMs = timeline.nowMs;
      mine.deliver(() => {
        const controlPlane = createControlPlane({
          clock: mine.clock,
          entropy,
          log,
          dial: (to) => network.transport(peer, to, [...noting(mine.name, to), ...interceptors]),
          fetch: () => Promise.reject(new Error("the simulated network carries RPCs only")),
          staticAgents: deps.staticAgents,
          openDirectory:
            etcd === undefined
              ? undefined
              : (onNodes) => openDirectory({ store: etcd.connect(peer), clock: mine.clock, entropy, log, onNodes }),
        });
        network.listen(address, peer, controlPlane.routes);
      });
    },
    kill(silently) {
      process?.kill(silently);
      process = undefined;
    },
  };
}
