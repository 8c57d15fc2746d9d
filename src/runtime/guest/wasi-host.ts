/** All interfaces that a component finds here. */
import type { AgentChannel } from "./agent-channel.ts";
import type { MessagePump } from "./message-pump.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import { cliInterfaces, clockInterfaces, randomInterfaces, type GuestSurroundings } from "./wasi-cli.ts";
import { filesystemInterfaces } from "./wasi-filesystem.ts";
import { httpInterfaces } from "./wasi-http.ts";
import { ioInterfaces } from "./wasi-io.ts";
import { keyvalueInterfaces } from "./wasi-keyvalue.ts";

/** Functions and resource classes by interface name without version, as the glue asks for them. */
export type WasiHost = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Makes the host of one guest. */
export function createWasiHost(channel: AgentChannel, pump: MessagePump, surroundings: GuestSurroundings): WasiHost {
  OutgoingBody.pump = pump;
  return withoutInherited({
    ...ioInterfaces(pump),
    ...cliInterfaces(channel, pump, surroundings),
    ...clockInterfaces(pump),
    ...randomInterfaces(),
    ...filesystemInterfaces(),
    ...httpInterfaces(),
    ...keyvalueInterfaces(pump),
  });
}

/**
 * The glue looks functions up by the names that a component imports, and a component may import any: what JavaScript
 * objects and classes inherit (`toString`, and `constructor`, which makes functions from text) is not for guests.
 */
function withoutInherited(host: WasiHost): WasiHost {
  for (const functions of Object.values(host)) {
    Object.setPrototypeOf(functions, null);
    for (const value of Object.values(functions)) {
      if (typeof value === "function" && "prototype" in value) Object.setPrototypeOf(value, null);
    }
  }
  return host;
}
