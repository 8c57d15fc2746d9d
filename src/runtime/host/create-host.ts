/** Everything that a component may import, for one copy of a guest. */
import type { HostInterfaces } from "../component/component-value.ts";
import { createGuestFiles } from "../files/guest-files.ts";
import { createGivingWay, type GivingWay } from "./giving-way.ts";
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
  /** See `getManyShapeOf`. Default: the shape of the published draft. */
  readonly draft2GetMany?: GetManyShape;
  /** How a guest that asks in a loop gives way; see `createGivingWay`. */
  readonly giveWay?: GivingWay;
};

/** What one copy of a guest imports. */
export interface ComponentHost {
  /** By names without version, except where two versions differ: `wasi:keyvalue/store@0.2.0-draft2`, to be looked up first. */
  readonly interfaces: HostInterfaces;
  /** Closes the files that are still open. May be called twice. */
  close(): void;
}

const OPEN_HANDLES_MAX = 10_000;

/** Makes the host of one copy: what it keeps (cursors, held headers, open folders) is not shared between copies. */
export function createHost(line: GuestLine, options: HostOptions = {}): ComponentHost {
  const giveWay = options.giveWay ?? createGivingWay();
  const files = createGuestFiles({ line, openHandlesMax: options.openHandlesMax ?? OPEN_HANDLES_MAX });
  const interfaces = {
    ...ioInterfaces(giveWay),
    ...clockInterfaces(line),
    ...randomInterfaces(line),
    ...cliInterfaces(line),
    ...filesystemInterfaces(line, files),
    ...httpInterfaces(line, giveWay),
    ...socketsInterfaces(line),
    ...keyvalueInterfaces(line, options.draft2GetMany ?? "option-of-pair"),
    ...configInterfaces(line),
    ...loggingInterfaces(line),
    ...messagingInterfaces(line),
  };
  return { interfaces, close: () => files.close() };
}
