/**
 * Loaded into every thread of a WASIX program before anything else (`--import`, which threads pass on to those that they
 * make): takes from the SDK what a program must not reach through it.
 */
import { getEnvironmentData } from "node:worker_threads";
import { guardSockets, type SocketGuard } from "./socket-guard.ts";

const PAGE_BYTES = 65_536;

/** Key of the environment data under which the thread's order puts `sdkMemoryMaxBytes`. */
export const SDK_MEMORY_KEY = "wasmatrix:sdkMemoryMaxBytes";

/** Pages that the SDK's own memory asks for as its maximum; a program's memory has been capped lower or was granted so much. */
const SDK_PAGES_MAX = 65_536;

// The SDK would load packages from its registry by it, which no permission covers.
for (const name of ["fetch", "WebSocket", "EventSource"]) Reflect.deleteProperty(globalThis, name);

/** The SDK opens sockets on the program's first thread only, which opens the guard as far as was granted; here it is shut. */
export const sockets: SocketGuard = guardSockets();

const RealMemory = WebAssembly.Memory;

/** The SDK's memory holds the program's files, so it has to end somewhere. */
function memoryWithin(descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory {
  const maxBytes = getEnvironmentData(SDK_MEMORY_KEY);
  const isSdk = descriptor.maximum === SDK_PAGES_MAX && typeof maxBytes === "number";
  return new RealMemory(isSdk ? { ...descriptor, maximum: Math.floor(maxBytes / PAGE_BYTES) } : descriptor);
}

// The same prototype and name, because the SDK looks at both.
Object.defineProperty(memoryWithin, "name", { value: "Memory" });
Object.defineProperty(memoryWithin, "prototype", { value: RealMemory.prototype });
Reflect.set(WebAssembly, "Memory", memoryWithin);
