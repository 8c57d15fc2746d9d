/** Entry of a guest's thread: waits for its one guest, which may come long after the thread has booted. */
import { parentPort } from "node:worker_threads";
import type { GuestBoot } from "../worker-protocol.ts";
import { openAgentChannel } from "./agent-channel.ts";
import { runCoreGuest } from "./core-guest.ts";
import { runHttpGuest } from "./http-guest.ts";

parentPort?.once("message", (boot: GuestBoot) => {
  const channel = openAgentChannel(boot.port, boot.wake);
  const { program } = boot;
  if (program.kind === "http") runHttpGuest(channel, { ...boot, program });
  else runCoreGuest(channel, { ...boot, program });
});
