/** Bounds of a control plane, in one place, so that an edge platform with little memory can lower them. */
import { FLEET_LIMITS, type FleetLimits } from "./fleet.ts";

/** What a control plane may use. Everything in bytes or milliseconds says so in its name. */
export type ControlPlaneLimits = FleetLimits & {
  /** Largest module. Default 64 MiB. */
  readonly moduleMaxBytes: number;
  /** Sum of the modules kept. Default 256 MiB. */
  readonly moduleCacheMaxBytes: number;
  /** Fetch of one module from a URL. Default 60 s. */
  readonly moduleFetchTimeoutMs: number;
  /** Between two pieces of an upload. Default 60 s. */
  readonly uploadIdleTimeoutMs: number;
  /** Modules uploaded or fetched at once, each in memory. Default 4. */
  readonly moduleTransfersMax: number;
  /** WatchFacts and TailLogs streams at once. Default 256. */
  readonly streamsMax: number;
  /** Starts under way at once. Default 1,000. */
  readonly startsMax: number;
  /** Order to start, stop grace excluded. Compiling a large component takes long. Default 120 s. */
  readonly startTimeoutMs: number;
  /** For a node to say where a key was placed before. Default 2 s. */
  readonly reservationTimeoutMs: number;
  /** Any other order. Default 30 s. */
  readonly orderTimeoutMs: number;
  /** Longest call of an exported function, queueing included. Default 300 s. */
  readonly invokeTimeoutMs: number;
  /** How long an answered order waits for its report. Default 1 s. */
  readonly echoTimeoutMs: number;
  /** Requests through the gateway at once. Default 1,000. */
  readonly gatewayRequestsMax: number;
  /** Until the guest's response begins; a short body must have come in this time, too. Default 120 s. */
  readonly gatewayTimeoutMs: number;
  /** Body of a request through the gateway; each instance has its own, usually lower, limit. Default 1 GiB. */
  readonly gatewayRequestBodyMaxBytes: number;
};

/** The defaults of `ControlPlaneLimits`. */
export const CONTROL_PLANE_LIMITS: ControlPlaneLimits = {
  ...FLEET_LIMITS,
  moduleMaxBytes: 64 * 1024 ** 2,
  moduleCacheMaxBytes: 256 * 1024 ** 2,
  moduleFetchTimeoutMs: 60_000,
  reservationTimeoutMs: 2_000,
  uploadIdleTimeoutMs: 60_000,
  moduleTransfersMax: 4,
  streamsMax: 256,
  startsMax: 1_000,
  startTimeoutMs: 120_000,
  orderTimeoutMs: 30_000,
  invokeTimeoutMs: 300_000,
  echoTimeoutMs: 1_000,
  gatewayRequestsMax: 1_000,
  gatewayTimeoutMs: 120_000,
  gatewayRequestBodyMaxBytes: 1024 ** 3,
};
