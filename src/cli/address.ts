/** Which control plane a command talks to, and with which token: flags, then environment, then config file. */
import type { CliIo } from "./cli-io.ts";
import { readConfig } from "./config-file.ts";
import { UsageError } from "./usage-error.ts";

/** The control plane of a machine that says nothing else. */
export const DEFAULT_ADDRESS = "http://127.0.0.1:7420";

/** What flags say about it. */
export type AddressFlags = {
  readonly address?: string;
  readonly token?: string;
  readonly clientConfig?: string;
};

/** A control plane and the credential for it. */
export type ControlPlaneAddress = {
  /** Base URL without a slash at the end. */
  readonly url: string;
  /** Never printed. */
  readonly token: string | undefined;
};

/**
 * Settles address and token, each by the first that says it: flag, environment, config file. The file is read only if
 * it is named or needed.
 */
export async function resolveAddress(
  io: Pick<CliIo, "env" | "homeDir">,
  flags: AddressFlags,
): Promise<ControlPlaneAddress> {
  const address = flags.address ?? nonEmpty(io.env["WASMATRIX_ADDRESS"]);
  const token = flags.token ?? nonEmpty(io.env["WASMATRIX_TOKEN"]);
  const config =
    flags.clientConfig !== undefined || address === undefined || token === undefined
      ? await readConfig(io, flags.clientConfig)
      : {};
  return {
    url: baseUrlFromText(address ?? config.address ?? DEFAULT_ADDRESS),
    token: checkedToken(token ?? config.token),
  };
}

/** The base URL that `text` means: `host:port` is taken as http. Throws `UsageError` for what is no http or https base URL. */
export function baseUrlFromText(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.parse(full);
  const hint = `write it like ${DEFAULT_ADDRESS}`;
  if (url === null || url.hostname === "") throw new UsageError(`Cannot use address "${text}": it is not a URL`, hint);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new UsageError(`Cannot use address "${text}": only http and https are spoken`, hint);
  // Not quoted: it holds a password.
  if (url.username !== "" || url.password !== "")
    throw new UsageError(
      "Cannot use this address: it holds a user name or password",
      "give the token by --token or WASMATRIX_TOKEN",
    );
  if (url.search !== "" || url.hash !== "")
    throw new UsageError(`Cannot use address "${text}": it has a query or fragment`, hint);
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** The token, if it can stand in a header; throws `UsageError` otherwise. */
export function checkedToken(token: string | undefined): string | undefined {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError("Cannot use the token: it is empty or holds characters other than printable ASCII");
  }
  return token;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
