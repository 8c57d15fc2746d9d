/** The providers that every node has. */
import { join } from "node:path";
import { createHttpProvider } from "../providers/http/http-provider.ts";
import { createMemoryKv } from "../providers/kv/memory-kv.ts";
import { openSqliteKv } from "../providers/kv/sqlite-kv.ts";
import type { ProviderConfig } from "./provider-set.ts";

/** Key-value on disk and in memory, outgoing HTTP, folders, environment. By type, the first is the default. */
export function builtInProviders(options: { readonly dataDir: string }): readonly ProviderConfig[] {
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
    // Used in the guests' own threads: these two are where that is started and stopped.
    { id: "files", type: "files", backend: "folders", durable: true, open: async () => undefined },
    { id: "env", type: "environment", backend: "environment", durable: true, open: async () => undefined },
  ];
}
