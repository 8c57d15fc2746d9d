/** A real etcd for a test file. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { debianTool } from "../system/debian-tool.ts";
import { freePort } from "../system/processes.ts";

/** The program, or `undefined` where there is none: skip. */
export const etcdProgram: string | undefined = debianTool("etcd", "etcd-server");

/** A running etcd. */
export type RealEtcd = {
  readonly url: string;
  readonly child: () => ChildProcess;
  /** Kills it with -9 and starts it again on the same data and port. */
  restart(): Promise<void>;
  /** Starts it again after `halt`. */
  start(): Promise<void>;
  /** Kills it with -9. */
  halt(): Promise<void>;
  close(): Promise<void>;
};

/** Starts etcd on a free port with a data folder of its own, and waits until it is healthy. `flags` come last. */
export async function startEtcd(flags: readonly string[] = [], scheme = "http"): Promise<RealEtcd> {
  if (etcdProgram === undefined) throw new Error("there is no etcd here");
  const program = etcdProgram;
  const folder = await mkdtemp(join(tmpdir(), "wasmatrix-etcd-"));
  const [port, peerPort] = [await freePort(), await freePort()];
  const listen = `${scheme}://127.0.0.1:${port}`;
  // Node refuses an address as the name of a TLS server.
  const url = `${scheme}://${scheme === "http" ? "127.0.0.1" : "localhost"}:${port}`;
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const peer = `http://127.0.0.1:${peerPort}`;
    let text = "";
    const started = spawn(
      program,
      [
        ["--name", "one", "--data-dir", folder, "--log-level", "error"],
        ["--listen-client-urls", listen, "--advertise-client-urls", url],
        ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `one=${peer}`],
        flags,
      ].flat(),
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch } },
    );
    started.stderr.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    child = started;
    await vi.waitFor(
      async () => {
        if (started.exitCode !== null) throw new Error(`etcd ended with ${started.exitCode}: ${text}`);
        if (scheme === "http") await (await fetch(`${url}/health`)).text();
        else await reached(port);
      },
      { timeout: 30_000, interval: 50 },
    );
  };
  const halt = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child?.once("close", resolve));
    child.kill("SIGKILL");
    await gone;
  };
  await start();
  return {
    url,
    start,
    halt,
    child: () => {
      if (child === undefined) throw new Error("etcd does not run");
      return child;
    },
    async restart() {
      await halt();
      await start();
    },
    async close() {
      child?.kill("SIGCONT");
      await halt();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function reached(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}
