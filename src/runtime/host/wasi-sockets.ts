/**
 * `wasi:sockets`, with every operation denied. Programs built with the standard libraries of C and Rust import these interfaces
 * whether they use them or not, so they are there; but what a guest may reach is granted for each domain, which addresses of
 * sockets do not tell.
 */
import type { HostFunction, HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";
import { Pollable } from "./pollable.ts";
import { READY } from "./readiness.ts";
import { err } from "./wit-result.ts";

/** What a denied operation is counted as. */
export const SOCKETS_PERMISSION = "net:sockets";

/** Methods that give a `result`. */
const TCP_METHODS = `
  start-bind finish-bind start-connect finish-connect start-listen finish-listen accept local-address remote-address
  set-listen-backlog-size keep-alive-enabled set-keep-alive-enabled keep-alive-idle-time set-keep-alive-idle-time
  keep-alive-interval set-keep-alive-interval keep-alive-count set-keep-alive-count hop-limit set-hop-limit
  receive-buffer-size set-receive-buffer-size send-buffer-size set-send-buffer-size shutdown`;
const UDP_METHODS = `
  start-bind finish-bind stream local-address remote-address unicast-hop-limit set-unicast-hop-limit
  receive-buffer-size set-receive-buffer-size send-buffer-size set-send-buffer-size`;

const DENIED = err("access-denied");

/** No socket is ever handed out, so its methods are there only to be imported; they are the same for all guests. */
const SOCKETS: HostInterfaces = {
  "wasi:sockets/network": { functions: { "network-error-code": () => undefined }, resources: { network: {} } },
  "wasi:sockets/instance-network": { functions: { "instance-network": () => ({ kind: "network" }) } },
  "wasi:sockets/tcp": {
    functions: {
      ...methods("tcp-socket", TCP_METHODS),
      ...family("tcp-socket"),
      ...subscribe("tcp-socket"),
      "[method]tcp-socket.is-listening": () => false,
    },
    resources: { "tcp-socket": {} },
  },
  "wasi:sockets/udp": {
    functions: {
      ...methods("udp-socket", UDP_METHODS),
      ...family("udp-socket"),
      ...subscribe("udp-socket"),
      ...methods("incoming-datagram-stream", "receive"),
      ...subscribe("incoming-datagram-stream"),
      ...methods("outgoing-datagram-stream", "check-send send"),
      ...subscribe("outgoing-datagram-stream"),
    },
    resources: { "udp-socket": {}, "incoming-datagram-stream": {}, "outgoing-datagram-stream": {} },
  },
};

const RESOLVE_FUNCTIONS = {
  ...methods("resolve-address-stream", "resolve-next-address"),
  ...subscribe("resolve-address-stream"),
};

/** All interfaces of the package. */
export function socketsInterfaces(line: Pick<GuestLine, "audit">): HostInterfaces {
  const deny: HostFunction = () => {
    line.audit(SOCKETS_PERMISSION, "denied");
    return DENIED;
  };
  return {
    ...SOCKETS,
    "wasi:sockets/ip-name-lookup": {
      functions: { "resolve-addresses": deny, ...RESOLVE_FUNCTIONS },
      resources: { "resolve-address-stream": {} },
    },
    "wasi:sockets/tcp-create-socket": { functions: { "create-tcp-socket": deny } },
    "wasi:sockets/udp-create-socket": { functions: { "create-udp-socket": deny } },
  };
}

function methods(resource: string, names: string): Record<string, HostFunction> {
  const listed = names.trim().split(/\s+/);
  return Object.fromEntries(listed.map((name) => [`[method]${resource}.${name}`, () => DENIED]));
}

function family(resource: string): Record<string, HostFunction> {
  return { [`[method]${resource}.address-family`]: () => "ipv4" };
}

function subscribe(resource: string): Record<string, HostFunction> {
  return { [`[method]${resource}.subscribe`]: () => new Pollable(READY) };
}
