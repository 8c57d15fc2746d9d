/** Does to a world what its plan says. */
import { DOOM_MS, type Fault } from "./fault-plan.ts";
import type { SimControlPlane } from "./sim-control-plane.ts";
import type { World } from "./world.ts";

/** Begins a fault, and sees to its end. */
export function applyFault(world: World, fault: Fault): void {
  const { timeline, agents, controlPlanes, weather, etcd, history } = world;
  world.note(`FAULT ${JSON.stringify(fault)}`);
  const bootAgain = (host: { boot(): void; readonly isUp: () => boolean }, downMs: number): void =>
    void timeline.after(downMs, () => {
      if (!host.isUp()) host.boot();
    });
  const agentAt = (index: number): { boot(): void; isUp(): boolean } => ({
    boot: () => agents[index]?.boot(),
    isUp: () => agents[index]?.running !== undefined || world.gone.has(`node-${index}`),
  });
  const bootControlPlane = (controlPlane: SimControlPlane, downMs: number): void =>
    bootAgain({ boot: () => controlPlane.boot(), isUp: () => controlPlane.process !== undefined }, downMs);

  switch (fault.kind) {
    case "crash-agent": {
      const agent = agents[fault.node];
      if (agent?.running === undefined) return;
      agent.kill(fault.disk === "kept" ? undefined : "silently");
      if (fault.disk === "power-cut") agent.disk.losePower();
      if (fault.disk === "wiped") agent.disk.wipe();
      const isStale = fault.disk === "stale" && agent.disk.restoreBackup();
      if (fault.disk === "power-cut" || fault.disk === "wiped" || isStale)
        history.forgetful.set(agent.nodeId, fault.disk);
      return bootAgain(agentAt(fault.node), fault.downMs);
    }
    case "torn-write": {
      const process = agents[fault.node]?.running?.process;
      process?.doom({ effect: "write", nth: fault.nth, takesPlace: fault.takesPlace, withinMs: DOOM_MS });
      process?.onDeath(() => bootAgain(agentAt(fault.node), fault.downMs));
      return;
    }
    case "die-sending": {
      const index = Number(fault.host.split("-")[1]);
      const controlPlane = fault.host.startsWith("cp-") ? controlPlanes[index] : undefined;
      const process = controlPlane?.process ?? agents.find(({ nodeId }) => nodeId === fault.host)?.running?.process;
      process?.doom({ effect: "send", nth: fault.nth, takesPlace: fault.takesPlace, withinMs: DOOM_MS });
      process?.onDeath(() => {
        if (controlPlane === undefined) bootAgain(agentAt(index), fault.downMs);
        else bootControlPlane(controlPlane, fault.downMs);
      });
      return;
    }
    case "lose-node": {
      const agent = agents[fault.node];
      if (agent === undefined) return;
      world.gone.add(agent.nodeId);
      agent.kill("silently");
      return;
    }
    case "leave": {
      const process = agents[fault.node]?.running?.process;
      process?.onDeath(() => bootAgain(agentAt(fault.node), fault.downMs));
      agents[fault.node]?.leave();
      return;
    }
    case "pause-agent": {
      const process = agents[fault.node]?.running?.process;
      process?.pause();
      timeline.after(fault.forMs, () => process?.resume());
      return;
    }
    case "back-up":
      agents[fault.node]?.disk.backUp();
      return;
    case "crash-control-plane":
    case "crash-control-planes":
      for (const controlPlane of fault.kind === "crash-control-planes"
        ? controlPlanes
        : controlPlanes.slice(fault.index, fault.index + 1)) {
        controlPlane.kill();
        bootControlPlane(controlPlane, fault.downMs);
      }
      return;
    case "pause-control-plane": {
      const process = controlPlanes[fault.index]?.process;
      process?.pause();
      timeline.after(fault.forMs, () => process?.resume());
      return;
    }
    case "one-way": {
      const isConcerned = (from: string, to: string): boolean =>
        (fault.from === "*" || from === fault.from) && to === fault.to;
      timeline.after(fault.forMs, weather.block(isConcerned));
      return;
    }
    case "partition":
      timeline.after(
        fault.forMs,
        weather.block((from, to) => (from === fault.host) !== (to === fault.host)),
      );
      return;
    case "bad-weather":
      weather.storm = fault;
      timeline.after(fault.forMs, () => weather.endStorm(fault));
      return;
    case "clock-jump": {
      const agent = agents.find(({ nodeId }) => nodeId === fault.host);
      const host = agent ?? controlPlanes.find(({ name }) => name === fault.host);
      if (host !== undefined) host.skew.offsetMs += fault.byMs;
      return;
    }
    case "etcd-away":
      etcd.isAway = true;
      timeline.after(fault.forMs, () => void (etcd.isAway = false));
      return;
    case "etcd-lags":
      etcd.lagMs = fault.byMs;
      timeline.after(fault.forMs, () => void (etcd.lagMs = 0));
      return;
    case "etcd-watches-drop":
      etcd.watchesDrop = true;
      timeline.after(fault.forMs, () => void (etcd.watchesDrop = false));
      return;
    case "etcd-wiped":
      etcd.wipe();
  }
}
