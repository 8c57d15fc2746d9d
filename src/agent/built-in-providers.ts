/** The providers that every node has. */
import { join } from "node:path";
import type { Clock, Entropy } from "../clock.ts";
import type { Log } from "../log.ts";
import { createHttpProvider } from "../providers/http/http-provider.ts";
import { createMemoryKv } from "../providers/kv/memory-kv.ts";
import { openSqliteKv } from "../providers/kv/sqlite-kv.ts";
import { createMemoryMessaging } from "../providers/messaging/memory-messaging.ts";
import type { DeadLetter } from "../providers/messaging/messaging.ts";
import type { ProviderConfig } from "./provider-set.ts";

/** Key-value on disk and in memory, outgoing HTTP, messages, folders, environment. By type, the first is the default. */
export function builtInProviders(options: {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}): readonly ProviderConfig[] {
  return [
    {
      id: "kv",
      type: "kv",
      backend: "sqlite",
      durable: true,
      open: () => openSqliteKv({ file: join(options.dataDir, "kv.sqlite") }),
    },
    { id: "kv-memory", type: "kv", backend: "memory", durable: false, open: async () => createMemoryKv() },
    { id: "http", type: "http", backend: "sockets", durable: true, open: async () => createHttpProvider() },
    {
      id: "messaging",
      type: "messaging",
      backend: "in-process",
      durable: true,
      open: async () => createMemoryMessaging({ onDeadLetter: noteIn(options.log) }, options),
    },
    // Used in the guests' own threads: these two are where that is started and stopped.
    { id: "files", type: "files", backend: "folders", durable: true, open: async () => undefined },
    { id: "env", type: "environment", backend: "environment", durable: true, open: async () => undefined },
  ];
}

/** That an instance failed to take a message is a fact of the instance; this is for whoever looks for one message. */
function noteIn(log: Log): (letter: DeadLetter) => void {
  return ({ message, group, attempts }) => log.debug("message given up", { topic: message.topic, group, attempts });
}
