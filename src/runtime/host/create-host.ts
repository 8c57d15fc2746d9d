/** Everything that a component may import, for one copy of a guest. */
import type { HostInterface, HostInterfaces } from "../component/component-value.ts";
import { createGuestFiles } from "../files/guest-files.ts";
import { createGivingWay } from "./giving-way.ts";
import type { GuestLine } from "./guest-line.ts";
import { cliInterfaces } from "./wasi-cli.ts";
import { clockInterfaces } from "./wasi-clocks.ts";
import { configInterfaces } from "./wasi-config.ts";
import { filesystemInterfaces } from "./wasi-filesystem.ts";
import { httpInterfaces } from "./wasi-http.ts";
import { ioInterfaces } from "./wasi-io.ts";
import { keyvalueInterfaces, type GetManyShape } from "./wasi-keyvalue.ts";
import { loggingInterfaces } from "./wasi-logging.ts";
import { randomInterfaces } from "./wasi-random.ts";
import { socketsInterfaces } from "./wasi-sockets.ts";
import { messagingInterfaces } from "./wasmcloud-messaging.ts";

/** Callers' choices. */
export type HostOptions = {
  /** Files that may be open at a time; one more throws `HandleLimit`. Default: 10,000. */
  readonly openHandlesMax?: number;
  /** What the component imports, as it spells it: packages without any of these are left out. Default: all are there. */
  readonly imports?: readonly string[];
  /** See `getManyShapeOf`. Default: the shape of the published draft. */
  readonly draft2GetMany?: GetManyShape;
};

/** What one copy of a guest imports. */
export interface ComponentHost {
  /** By names without version, except where two versions differ: `wasi:keyvalue/store@0.2.0-draft2`, to be looked up first. */
  readonly interfaces: HostInterfaces;
  /** Closes the files that are still open. May be called twice. */
  close(): void;
}

const OPEN_HANDLES_MAX = 10_000;

/** One for the whole thread: whichever guest asks, it is the thread's event loop that must turn. */
const giveWay = createGivingWay();
const IO = ioInterfaces(giveWay);

/** Makes the host of one copy: what it keeps (cursors, held headers, open files) is not shared between copies. */
export function createHost(line: GuestLine, options: HostOptions = {}): ComponentHost {
  const { imports, openHandlesMax = OPEN_HANDLES_MAX, draft2GetMany = "option-of-pair" } = options;
  const files = createGuestFiles({ line, openHandlesMax });
  const packages: Readonly<Record<string, () => HostInterfaces>> = {
    "wasi:io/": () => IO,
    "wasi:clocks/": () => clockInterfaces(line),
    "wasi:random/": () => randomInterfaces(line),
    "wasi:cli/": () => cliInterfaces(line),
    "wasi:filesystem/": () => filesystemInterfaces(line, files),
    "wasi:http/": () => httpInterfaces(line, giveWay),
    "wasi:sockets/": () => socketsInterfaces(line),
    "wasi:keyvalue/": () => keyvalueInterfaces(line, draft2GetMany),
    "wasi:config/": () => configInterfaces(line),
    "wasi:logging/": () => loggingInterfaces(line),
    "wasmcloud:messaging/": () => messagingInterfaces(line),
  };
  const interfaces: Record<string, HostInterface> = {};
  for (const [prefix, make] of Object.entries(packages))
    if (imports?.some((name) => name.startsWith(prefix)) ?? true) Object.assign(interfaces, make());
  return { interfaces, close: () => files.close() };
}
