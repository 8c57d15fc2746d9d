/** The providers that every node has. */
import { join } from "node:path";
import { createMemoryKv } from "../providers/kv/memory-kv.ts";
import { openSqliteKv } from "../providers/kv/sqlite-kv.ts";
import type { ProviderConfig } from "./provider-set.ts";

/** Key-value on disk and in memory, folders, environment. By type, the first is the default. */
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
    // Used in the guests' own threads: these two are where that is started and stopped.
    { id: "files", type: "files", backend: "folders", durable: true, open: async () => undefined },
    { id: "env", type: "environment", backend: "environment", durable: true, open: async () => undefined },
  ];
}
