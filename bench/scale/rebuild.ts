/** A cold control plane reads the snapshots of all agents by stream, and is asked what it then holds. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, createRouterTransport, type Client } from "@connectrpc/connect";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { createControlPlane, type ControlPlane } from "../../src/cp/app.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { silentLog } from "../../src/log.ts";
import { costOf, peakRssBytes, type Cost } from "./cpu-time.ts";
import { addressOf, nodeFromAddress, type FleetShape } from "./fleet-shapes.ts";
import { openStream, transportTo } from "./simulated-network.ts";

/** A control plane that holds a whole fleet. */
export type RebuiltFleet = {
  readonly api: Client<typeof ControlPlaneService>;
  /** From the first stream until nothing is awaited any more. */
  readonly cost: Cost;
  readonly peakRssBytes: number;
  /** Makes a node's stream carry another message. */
  readonly send: (node: number, message: Uint8Array) => void;
  readonly close: () => Promise<void>;
};

/** Long enough that no heartbeat is missed while this process is busy. */
const REPORT_INTERVAL_MS = 600_000;

/** Rebuilds. */
export async function rebuildFleet(shape: FleetShape, recentFacts: number): Promise<RebuiltFleet> {
  const folder = mkdtempSync(join(tmpdir(), "wasmatrix-scale-"));
  const path = join(folder, "reports");
  execFileSync(process.execPath, [
    join(import.meta.dirname, "agents-process.ts"),
    JSON.stringify({ shape, recentFacts }),
    path,
  ]);
  const streams = new Map<number, (message: Uint8Array) => void>();
  const dial = (address: string): ReturnType<typeof transportTo> =>
    transportTo(address, async ({ signal, url }) => {
      if (!url.endsWith("/WatchReports"))
        return { status: 404, header: new Headers(), body: nothing(), trailer: new Headers() };
      const { response, send } = openStream(signal);
      streams.set(nodeFromAddress(address), send);
      return response;
    });
  let controlPlane: ControlPlane | undefined;
  const cost = await costOf(async () => {
    controlPlane = createControlPlane({
      clock: systemClock,
      entropy: systemEntropy,
      log: silentLog,
      fetch: () => Promise.reject(new Error("there is no web here")),
      dial,
      reportIntervalMs: REPORT_INTERVAL_MS,
      staticAgents: Array.from({ length: shape.nodes }, (_, node) => addressOf(node)),
    });
    while (streams.size < shape.nodes) await pause(1);
    for (const { node, message } of frames(path)) {
      streams.get(node)?.(message);
      // As bytes come from a network: now and then, and never faster than they are read.
      await pause(0);
    }
    while ((await controlPlane.fetch(new Request("http://bench/readyz"))).status !== 200) await pause(20);
  });
  rmSync(folder, { recursive: true });
  if (controlPlane === undefined) throw new Error("there is no control plane");
  const { routes, close } = controlPlane;
  const api = createClient(ControlPlaneService, createRouterTransport(routes));
  return {
    api,
    cost,
    peakRssBytes: peakRssBytes(),
    send: (node, message) => streams.get(node)?.(message),
    close,
  };
}

function* frames(path: string): Generator<{ readonly node: number; readonly message: Uint8Array }> {
  const file = openSync(path, "r");
  const head = Buffer.alloc(8);
  while (readSync(file, head) === head.length) {
    const message = new Uint8Array(head.readUInt32LE(4));
    readSync(file, message);
    yield { node: head.readUInt32LE(0), message };
  }
  closeSync(file);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => (ms === 0 ? setImmediate(resolve) : setTimeout(resolve, ms)));
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A method that simulated agents do not have.
}
