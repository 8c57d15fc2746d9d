/** Tries the guard in a thread of its own, for it replaces functions of Node: tells its parent what passed. */
import dns from "node:dns/promises";
import net from "node:net";
import { parentPort } from "node:worker_threads";
import { guardSockets } from "../../../src/runtime/wasix/thread/socket-guard.ts";

const passed: string[] = [];
Reflect.set(net, "createConnection", (options: { host: string }) => void passed.push(`connect ${options.host}`));
Reflect.set(dns, "lookup", async (host: string) => void passed.push(`lookup ${host}`));
const guard = guardSockets();
guard.onConnection((isAllowed) => passed.push(isAllowed ? "allowed" : "denied"));

async function attempt(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    passed.push(error instanceof Error && "code" in error ? String(error.code) : String(error));
  }
}

for (const hasSockets of [false, true, false]) {
  guard.set(hasSockets);
  passed.push(hasSockets ? "granted:" : "not granted:");
  for (const host of [
    "93.184.215.14",
    "2606:2800:21f::1",
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "169.254.169.254",
    "example.com",
  ])
    await attempt(() => net.createConnection({ host, port: 80 }));
  await attempt(() => net.createConnection("/run/socket"));
  await attempt(() => dns.lookup("example.com"));
  await attempt(() => net.createServer());
}
parentPort?.postMessage(passed);
