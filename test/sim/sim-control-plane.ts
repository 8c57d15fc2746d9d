/** A simulated host with production's control plane on it, which forgets all when it dies. */
import { createControlPlane } from "../../src/cp/app.ts";
import type { Log } from "../../src/log.ts";
import { rpcClientInterceptors } from "../../src/rpc/client-interceptors.ts";
import type { Network } from "./network.ts";
import { entropyFrom, type Random } from "./random.ts";
import { startSimProcess, type SimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";

/** What a host is given. */
export type SimControlPlaneDeps = {
  readonly name: string;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly log: Log;
};

/** See the top of the file. */
export interface SimControlPlane {
  readonly name: string;
  readonly address: string;
  readonly skew: { offsetMs: number; rate: number };
  /** Undefined while it is down. */
  readonly process: SimProcess | undefined;
  readonly bootedAtMs: number;
  boot(): void;
  kill(): void;
}

/** Makes a host that is down. */
export function createSimControlPlane(deps: SimControlPlaneDeps): SimControlPlane {
  const { name, timeline, network } = deps;
  const skew = { offsetMs: deps.random.whole(-2_000, 2_000), rate: 1 + (deps.random.fraction() - 0.5) / 50 };
  const address = `http://${name}`;
  let life = 0;
  let process: SimProcess | undefined;
  let bootedAtMs = 0;
  return {
    name,
    address,
    skew,
    get process() {
      return process?.isAlive === true ? process : undefined;
    },
    get bootedAtMs() {
      return bootedAtMs;
    },
    boot() {
      const mine = startSimProcess(`${name}#${++life}`, timeline, () => skew);
      process = mine;
      bootedAtMs = timeline.nowMs;
      const controlPlane = createControlPlane({
        clock: mine.clock,
        entropy: entropyFrom(deps.random.fork(mine.name)),
        log: deps.log,
        dial: (to) => network.transport({ host: name, process: mine }, to, rpcClientInterceptors({})),
        fetch: () => Promise.reject(new Error("the simulated network carries RPCs only")),
      });
      network.listen(address, name, mine, controlPlane.routes);
    },
    kill() {
      process?.kill();
      process = undefined;
    },
  };
}
