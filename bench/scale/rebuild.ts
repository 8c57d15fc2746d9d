/** A cold control plane reads the snapshots of all agents by stream, and is asked what it then holds. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { createClient, createRouterTransport, type Client } from "@connectrpc/connect";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { createControlPlane } from "../../src/cp/app.ts";
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
  const streams = new Map<number, (message: Uint8Array) => void>();
  const dial = (address: string): ReturnType<typeof transportTo> =>
    transportTo(address, async ({ signal, url }) => {
      if (!url.endsWith("/WatchReports")) return { status: 404, header: new Headers(), body: nothing(), trailer: new Headers() };
      const { response, send } = openStream(signal);
      streams.set(nodeFromAddress(address), send);
      return response;
    });
  const controlPlane = createControlPlane({
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    fetch: () => Promise.reject(new Error("there is no web here")),
    dial,
    reportIntervalMs: REPORT_INTERVAL_MS,
    staticAgents: Array.from({ length: shape.nodes }, (_, node) => addressOf(node)),
  });
  const api = createClient(ControlPlaneService, createRouterTransport(controlPlane.routes));
  const agents = spawn(process.execPath, [join(import.meta.dirname, "agents-process.ts"), JSON.stringify({ shape, recentFacts })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  while (streams.size < shape.nodes) await new Promise((resolve) => setTimeout(resolve, 10));
  const cost = await costOf(async () => {
    for await (const { node, message } of frames(agents.stdout)) streams.get(node)?.(message);
    const isWhole = async (): Promise<boolean> => (await controlPlane.fetch(new Request("http://bench/readyz"))).status === 200;
    while (!(await isWhole())) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  return {
    api,
    cost,
    peakRssBytes: peakRssBytes(),
    send: (node, message) => streams.get(node)?.(message),
    close: () => controlPlane.close(),
  };
}

async function* frames(source: Readable): AsyncGenerator<{ readonly node: number; readonly message: Uint8Array }> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? (chunk as Buffer) : Buffer.concat([held, chunk as Buffer]);
    let at = 0;
    while (held.length - at >= 8) {
      const end = at + 8 + held.readUInt32LE(at + 4);
      if (held.length < end) break;
      yield { node: held.readUInt32LE(at), message: held.subarray(at + 8, end) };
      at = end;
    }
    held = held.subarray(at);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A method that simulated agents do not have.
}
