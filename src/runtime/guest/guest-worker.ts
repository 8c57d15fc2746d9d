/** Entry of a guest's thread. Nothing here outlives the guest. */
import { workerData } from "node:worker_threads";
import type { GuestBoot } from "../worker-protocol.ts";
import { openAgentChannel } from "./agent-channel.ts";
import { runCoreGuest } from "./core-guest.ts";
import { runHttpGuest } from "./http-guest.ts";

const boot: GuestBoot = workerData;
const channel = openAgentChannel(boot.port, boot.wake);
const { program } = boot;
if (program.kind === "http") runHttpGuest(channel, { ...boot, program });
else runCoreGuest(channel, { ...boot, program });
