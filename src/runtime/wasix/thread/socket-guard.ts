/**
 * What a program's sockets may do. The SDK opens them all on the program's first thread, by the functions of `node:net`
 * and `node:dns` that are replaced here.
 */
import dns from "node:dns/promises";
import net from "node:net";
import { specialAddress } from "../../../providers/http/address-kind.ts";
import { ipFromText } from "../../../providers/http/ip-address.ts";

/** See the top of the file. */
export interface SocketGuard {
  /** In force for every connection that is begun later; those that are open stay so. */
  set(hasSockets: boolean): void;
  /** Has `listener` told of every connection that is asked for. */
  onConnection(listener: (isAllowed: boolean) => void): void;
}

/** Replaces them; nothing may be opened before `set`. */
export function guardSockets(): SocketGuard {
  let isOpen = false;
  let tell = (_isAllowed: boolean): void => {};
  const connect = net.createConnection;
  const lookup = dns.lookup;
  const check = (host: unknown): void => {
    const ip = typeof host === "string" ? ipFromText(host) : undefined;
    const isAllowed = isOpen && ip !== undefined && specialAddress(ip) === undefined;
    tell(isAllowed);
    if (!isAllowed) throw denied(`connect to ${String(host)}`);
  };
  Reflect.set(net, "createConnection", (...args: unknown[]): net.Socket => {
    const [options] = args;
    check(typeof options === "object" && options !== null && "host" in options ? options.host : undefined);
    return Reflect.apply(connect, net, args);
  });
  // Listening would take ports of the node, of which no permission speaks.
  Reflect.set(net, "createServer", (): never => {
    throw denied("listen");
  });
  Reflect.set(dns, "lookup", async (...args: unknown[]): Promise<unknown> => {
    if (!isOpen) throw denied("resolve a name");
    return Reflect.apply(lookup, dns, args);
  });
  return {
    set: (next) => {
      isOpen = next;
    },
    onConnection: (listener) => {
      tell = listener;
    },
  };
}

function denied(what: string): Error {
  return Object.assign(new Error(`Cannot ${what}: not granted`), { code: "EACCES" });
}
