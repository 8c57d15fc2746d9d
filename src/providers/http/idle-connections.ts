/** Connections that wait for another request to the same place. */
import type { Connection } from "./connection.ts";
import type { HttpLimits } from "./http-limits.ts";

/** See the top of the file. */
export interface IdleConnections {
  /** Takes one out, the one used last; `undefined` if there is none. */
  take(key: string): Connection | undefined;
  /** Keeps a connection whose request has ended; closes it, or the one that was idle longest, if there are too many. */
  keep(connection: Connection): void;
  /** Closes all of them, and those that are kept later. May be called twice. */
  close(): void;
}

/** Makes an empty set. */
export function createIdleConnections(
  limits: Pick<HttpLimits, "idleConnectionsMax" | "requestsPerConnectionMax">,
): IdleConnections {
  // In the order in which they became idle, as a set keeps it.
  const idle = new Set<Connection>();
  const byKey = new Map<string, Connection[]>();
  let isClosed = false;

  const remove = (connection: Connection): void => {
    if (!idle.delete(connection)) return;
    const same = (byKey.get(connection.key) ?? []).filter((other) => other !== connection);
    if (same.length === 0) byKey.delete(connection.key);
    else byKey.set(connection.key, same);
  };

  return {
    take(key) {
      const connection = byKey.get(key)?.findLast((one) => !one.isClosed);
      if (connection !== undefined) remove(connection);
      return connection;
    },
    keep(connection) {
      if (connection.isClosed) return;
      if (isClosed || connection.requests >= limits.requestsPerConnectionMax) return connection.close();
      idle.add(connection);
      byKey.set(connection.key, [...(byKey.get(connection.key) ?? []), connection]);
      connection.onClosed(() => remove(connection));
      const [oldest] = idle;
      if (idle.size > limits.idleConnectionsMax) oldest?.close();
    },
    close() {
      isClosed = true;
      for (const connection of idle) connection.close();
    },
  };
}
