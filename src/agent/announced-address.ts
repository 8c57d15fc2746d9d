/** Under which address an agent tells control planes to reach it. Pure. */
import { fault, Reason } from "../fault.ts";
import { isLoopback } from "../listen/bind-rule.ts";

/** How an agent can be reached. */
export type AnnounceOptions = {
  /** What it listens on. */
  readonly host: string;
  /** What the user says that it is reached by, if anything. */
  readonly advertise: string | undefined;
  /** Base URLs. */
  readonly controlPlanes: readonly string[];
};

/**
 * Throws `INVALID_REQUEST` if a control plane on another machine would be given an address that means its own machine
 * there: loopback, or all addresses. Whoever has a tunnel says so by --advertise.
 */
export function assertAnnounceable(options: AnnounceOptions): void {
  if (options.advertise !== undefined || !(isLoopback(options.host) || isWildcard(options.host))) return;
  const remote = options.controlPlanes.find((url) => !isLoopback(new URL(url).hostname));
  if (remote === undefined) return;
  throw fault(
    Reason.INVALID_REQUEST,
    `Cannot announce this agent to ${remote}: other machines do not reach it at ${options.host}; set --advertise to the URL by which they do${isLoopback(options.host) ? ", and --host to an address that it listens on there" : ""}`,
    { subject: remote },
  );
}

/** The base URL to announce. An agent on all addresses is announced on loopback, since its control planes are on this machine. */
export function announcedAddress(options: AnnounceOptions, listeningUrl: string): string {
  if (options.advertise !== undefined) return options.advertise;
  if (!isWildcard(options.host)) return listeningUrl;
  const url = new URL(listeningUrl);
  url.hostname = "127.0.0.1";
  return url.origin;
}

/** Whether listening on `host` is listening on every address of the machine. */
function isWildcard(host: string): boolean {
  return /^(0\.0\.0\.0|\[?::\]?)$/.test(host);
}
