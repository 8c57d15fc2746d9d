/** `wasi_snapshot_preview1`, complete, for one copy of a guest: on its line to the agent, and on its granted folders. */
import { fileErrorCodeOf, FileError } from "../files/file-error.ts";
import { createGuestFiles } from "../files/guest-files.ts";
import type { HostTree } from "../files/host-directory.ts";
import { createGivingWay } from "../host/giving-way.ts";
import type { GuestLine } from "../host/guest-line.ts";
import { PREOPEN_RIGHTS, STDIN_RIGHTS, STDOUT_RIGHTS } from "./descriptor-rights.ts";
import { DescriptorTable, FDFLAG } from "./descriptor-table.ts";
import { errnoFromCode, Preview1Error } from "./errno.ts";
import { fdFunctions } from "./fd-functions.ts";
import { GuestMemory } from "./guest-memory.ts";
import type { HostFunction, HostFunctions } from "./host-functions.ts";
import { pathFunctions } from "./path-functions.ts";
import { pollOneoff } from "./poll-oneoff.ts";
import { processFunctions } from "./process-functions.ts";
import { createStandardStreams } from "./standard-streams.ts";
import { statFunctions } from "./stat-functions.ts";

/** What a guest's preview 1 stands on. */
export type Preview1Options = {
  readonly line: GuestLine;
  /** Files and directories that may be open at a time; one more throws `HandleLimit` through the guest. */
  readonly openHandlesMax: number;
  /** How the host's directories are held; the machine's own way if left out. */
  readonly tree?: HostTree;
};

/** See the top of the file. */
export interface Preview1 {
  /** All 46 functions. `proc_exit` throws `GuestExit`. */
  readonly imports: HostFunctions;
  /** Those that may give a promise; to be wrapped in `WebAssembly.Suspending`. */
  readonly suspending: readonly string[];
  /** To be called before guest code runs that calls any of them; until then, every address is `fault`. */
  attachMemory(memory: WebAssembly.Memory): void;
  /** Closes what the guest has open. May be called twice. */
  dispose(): void;
}

/** The name under which modules import it. */
export const PREVIEW1_MODULE = "wasi_snapshot_preview1";

/** Functions that may have to wait. */
export const PREVIEW1_SUSPENDING: readonly string[] = ["fd_read", "fd_write", "poll_oneoff", "sched_yield"];

/** Makes the functions for one copy. The folders that are granted at this moment become its preopened directories, from descriptor 3 on. */
export function createPreview1({ line, openHandlesMax, tree }: Preview1Options): Preview1 {
  const memory = new GuestMemory();
  const table = new DescriptorTable();
  const files = createGuestFiles({ line, openHandlesMax, ...(tree === undefined ? {} : { tree }) });
  const givingWay = createGivingWay();
  const streams = createStandardStreams(line, memory, givingWay);
  table.add({ kind: "stdin", flags: 0, rights: STDIN_RIGHTS });
  table.add({ kind: "stdout", flags: FDFLAG.append, rights: STDOUT_RIGHTS });
  table.add({ kind: "stderr", flags: FDFLAG.append, rights: STDOUT_RIGHTS });
  for (const { guestPath, directory } of files.preopens()) {
    table.add({
      kind: "directory",
      directory,
      preopenPath: guestPath,
      listing: undefined,
      flags: 0,
      rights: PREOPEN_RIGHTS,
    });
  }
  const functions: HostFunctions = {
    ...processFunctions({ line, memory, table }),
    ...fdFunctions({ memory, table, streams }),
    ...statFunctions({ memory, table }),
    ...pathFunctions({ memory, table }),
    poll_oneoff: (subscriptions: number, events: number, count: number, result: number) =>
      pollOneoff({ line, memory, table, givingWay }, { subscriptions, events, count, result }),
  };
  return {
    imports: Object.fromEntries(Object.entries(functions).map(([name, carryOut]) => [name, answering(carryOut)])),
    suspending: PREVIEW1_SUSPENDING,
    attachMemory: (attached) => memory.attach(attached),
    dispose: () => files.close(),
  };
}

/** Errors that have a number become it; any other goes through the guest. */
function answering(carryOut: HostFunction): HostFunction {
  return (...values) => {
    try {
      const errno = carryOut(...values);
      return typeof errno === "number" ? errno : errno.catch(errnoFromError);
    } catch (error) {
      return errnoFromError(error);
    }
  };
}

function errnoFromError(error: unknown): number {
  if (error instanceof Preview1Error) return error.errno;
  if (error instanceof FileError) return errnoFromCode(fileErrorCodeOf(error));
  throw error;
}
