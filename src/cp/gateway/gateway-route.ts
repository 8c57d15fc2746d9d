/** Which name a request at the control plane's port is for. Pure. */
import { namedPathFrom, nameFromHost } from "../../http/instance-address.ts";

/** A request for an instance of a name. */
export type GatewayTarget = {
  readonly name: string;
  /** What the guest sees as its path and query; begins with `/`. */
  readonly pathWithQuery: string;
};

/**
 * The target of a request by path (`/-/NAME/rest`) or else by host (`NAME.localhost`, any port); undefined if the request is
 * for the control plane itself. As at an agent's ingress, the path wins. A name that cannot be one is a target too: nobody serves it.
 */
export function gatewayTargetFromUrl(url: URL): GatewayTarget | undefined {
  const byPath = namedPathFrom(url.pathname + url.search);
  if (byPath) return { name: byPath.name, pathWithQuery: byPath.rest };
  const name = nameFromHost(url.host);
  return name === undefined ? undefined : { name, pathWithQuery: url.pathname + url.search };
}
