import { createMemoryKv } from "../../../src/providers/kv/memory-kv.ts";
import { describeKvContract } from "./kv-contract.ts";

describeKvContract("memory", async (limits) => createMemoryKv(limits === undefined ? {} : { limits }));
