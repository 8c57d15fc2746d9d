/** Entry of the thread that one WASIX program has for itself: the SDK with one client, and the program in it. */
import { parentPort, setEnvironmentData, workerData } from "node:worker_threads";
import type * as Sdk from "@wasmer/sdk/node";
import type { FromWasix, ToWasix, WasixOrder } from "../wasix-protocol.ts";
import { SDK_MEMORY_KEY, sockets } from "./confine-sdk.ts";

const port = parentPort;
if (port === null) throw new Error("a WASIX program is hosted by a worker thread");

const order: WasixOrder = workerData;
const post = (message: FromWasix): void => port.postMessage(message);

/** Output that was sent and not yet taken. */
const taken: PromiseWithResolvers<void>[] = [];

sockets.set(order.hasSockets);
sockets.onConnection((isAllowed) => post({ kind: "connection", isAllowed }));

port.on("message", (message: ToWasix) => {
  if (message.kind === "outputTaken") return taken.shift()?.resolve();
  sockets.set(message.hasSockets);
  post({ kind: "socketsSet" });
});

try {
  await run();
} catch (error) {
  post({ kind: "failed", message: error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error) });
}

async function run(): Promise<void> {
  // Before the SDK is loaded, whose memory it bounds.
  setEnvironmentData(SDK_MEMORY_KEY, order.sdkMemoryMaxBytes);
  const { Wasmer } = (await import(order.sdkUrl)) as typeof Sdk;
  const wasmer = new Wasmer({ cache: false, parallelism: 2 });
  await wasmer.ready();
  boundThreads(order.threadsMax);
  const program = await wasmer.packages.load(order.program);
  const sandbox = await wasmer.sandboxes.create({
    packages: [program],
    env: order.env,
    // The guard decides; without the mode there would be nothing to open when it is granted later.
    network: { mode: "host" },
  });
  const process = await sandbox.command(program, order.args).spawn({ stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  post({ kind: "running" });
  const { exitCode } = (
    await Promise.all([
      process.wait(),
      writeStdin(process.stdin),
      forward("stdout", process.stdout),
      forward("stderr", process.stderr),
    ])
  )[0];
  post({ kind: "exited", exitCode });
}

async function writeStdin(
  stdin: { write(data: Uint8Array): Promise<void>; close(): Promise<void> } | null,
): Promise<void> {
  try {
    if (order.stdin.length > 0) await stdin?.write(order.stdin);
    await stdin?.close();
  } catch {
    // The program ended or closed its input before it read all. Nobody waits for the rest.
  }
}

async function forward(stream: "stdout" | "stderr", bytes: AsyncIterable<Uint8Array> | null): Promise<void> {
  for await (const piece of bytes ?? []) {
    const acknowledged = Promise.withResolvers<void>();
    taken.push(acknowledged);
    // A copy: the SDK's pieces lie in shared memory.
    post({ kind: "output", stream, bytes: Uint8Array.from(piece) });
    await acknowledged.promise;
  }
}

/** Each thread of the program is a thread of this process; one too many fails to start, which the program is told. */
function boundThreads(threadsMax: number): void {
  const make: unknown = Reflect.get(globalThis, "Worker");
  if (typeof make !== "function") throw new Error("@wasmer/sdk makes its threads in another way than 0.16.0 does");
  let count = 0;
  const bounded = function (...args: unknown[]): object {
    count += 1;
    if (count > threadsMax) throw new Error(`more than ${threadsMax} threads`);
    return Reflect.construct(make, args);
  };
  Object.defineProperty(globalThis, "Worker", { configurable: true, value: bounded });
}
