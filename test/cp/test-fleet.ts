/** A control plane and agents in one process, joined by transports whose failures tests decide on. */
import {
  createClient,
  createRouterTransport,
  ConnectError,
  Code,
  type Client,
  type Transport,
} from "@connectrpc/connect";
import { vi } from "vitest";
import { createControlPlane, type ControlPlane, type ControlPlaneDeps } from "../../src/cp/app.ts";
import { systemEntropy } from "../../src/clock.ts";
import { isFault, type Reason } from "../../src/fault.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { silentLog } from "../../src/log.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { createMemoryAgent, type MemoryAgent, type MemoryAgentOptions } from "./memory-agent.ts";

/** What becomes of calls to an agent. */
export type Line =
  | "up"
  /** Nobody listens: the order never arrives. */
  | "refused"
  /** The order arrives, the answer does not. */
  | "answer-lost"
  /** The order arrives, its answer does not, and no other call does either. */
  | "lost-then-dead"
  | "dead";

export interface TestFleet {
  readonly clock: ManualClock;
  readonly controlPlane: ControlPlane;
  readonly client: Client<typeof ControlPlaneService>;
  readonly lines: Map<string, Line>;
  /** Adds a node that has reported. */
  addAgent(options?: MemoryAgentOptions): Promise<MemoryAgent>;
  /** Adds a node that the control plane does not know yet. */
  addSilentAgent(options?: MemoryAgentOptions): MemoryAgent;
}

export function createTestFleet(deps: Partial<ControlPlaneDeps> = {}): TestFleet {
  const clock = createManualClock();
  const agents = new Map<string, MemoryAgent>();
  const lines = new Map<string, Line>();
  const controlPlane = createControlPlane({
    clock,
    entropy: systemEntropy,
    log: silentLog,
    fetch: () => Promise.reject(new Error("no web here")),
    dial: (address) => lineTo(address, () => agents.get(address), lines),
    ...deps,
  });
  const transport = createRouterTransport(controlPlane.routes);
  const addSilentAgent = (options: MemoryAgentOptions = {}): MemoryAgent => {
    const agent = createMemoryAgent(options, () => transport);
    agents.set(agent.address, agent);
    return agent;
  };
  return {
    clock,
    controlPlane,
    client: createClient(ControlPlaneService, faultTransport(transport)),
    lines,
    addSilentAgent,
    async addAgent(options) {
      const agent = addSilentAgent(options);
      await agent.report();
      return agent;
    },
  };
}

/** The smallest module. */
export const EMPTY_MODULE: Uint8Array<ArrayBuffer> = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

/** A module of a size of its own, so that its digest is too. */
export function moduleOf(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(EMPTY_MODULE);
  return bytes;
}

/** The inline source of a module. */
export function inline(bytes: Uint8Array = EMPTY_MODULE): { source: { case: "inline"; value: Uint8Array } } {
  return { source: { case: "inline", value: bytes } };
}

/** The reason of the fault with which `call` fails. */
export async function reasonOf(call: Promise<unknown>): Promise<Reason> {
  const error: unknown = await call.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  if (isFault(error)) return error.reason;
  throw error;
}

function lineTo(address: string, agentAt: () => MemoryAgent | undefined, lines: Map<string, Line>): Transport {
  const before = (): Transport => {
    const agent = agentAt();
    if (!agent || lines.get(address) === "refused") {
      throw new ConnectError(
        "connection refused",
        Code.Unavailable,
        undefined,
        undefined,
        Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }),
      );
    }
    return agent.transport;
  };
  const after = (method: string): void => {
    const line = lines.get(address) ?? "up";
    if (line === "up" || method !== "StartInstance") return;
    if (line === "lost-then-dead") lines.set(address, "dead");
    throw new ConnectError(
      "connection reset",
      Code.Unavailable,
      undefined,
      undefined,
      Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }),
    );
  };
  return {
    async unary(...call) {
      if (lines.get(address) === "dead")
        throw new ConnectError("gone", Code.Unavailable, undefined, undefined, new Error("read ECONNRESET"));
      const response = await before().unary(...call);
      after(call[0].name);
      return response;
    },
    stream: async (...call) => before().stream(...call),
  };
}

/** Waits until `expectation` holds; as long as a busy machine may need. */
export function eventually<T>(expectation: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(expectation, { timeout: 20_000, interval: 10 });
}
