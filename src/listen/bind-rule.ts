/** The rule of who may listen where: loopback needs no set-up, anything else needs a token. */
import { fault, Reason } from "../fault.ts";

/** What is about to listen. */
export type BindRequest = {
  readonly host: string;
  readonly token: string | undefined;
  /** For the message: `the control plane`. */
  readonly what: string;
  /** The flag that chose the host: `--host`. */
  readonly hostFlag: string;
};

/** Throws `INVALID_REQUEST` if `host` is reachable from elsewhere and no token guards it. */
export function assertMayBind(request: BindRequest): void {
  if (request.token !== undefined || isLoopback(request.host)) return;
  throw fault(
    Reason.INVALID_REQUEST,
    `Cannot bind ${request.what} to ${request.host}: other machines could reach it and no token is set; set --token or WASMATRIX_TOKEN, or leave ${request.hostFlag} at 127.0.0.1`,
    { subject: request.host },
  );
}

/** Whether only this machine can reach `host`: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^127(\.\d{1,3}){3}$/.test(bare);
}
