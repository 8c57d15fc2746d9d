/** What `run` is asked for, with manifest and config file read. */
import { resolve } from "node:path";
import { Reason } from "../../fault.ts";
import { readFileBounded } from "../bounded-read.ts";
import type { CliIo } from "../cli-io.ts";
import { orderFromFlags, type RunFlags } from "../run-flags.ts";
import { assertRunOrder, mergedOrder, type RunOrder } from "../run-order.ts";
import type { SettledOrder } from "../start-and-wait.ts";
import { UsageError } from "../usage-error.ts";
import { configValuesFromText } from "./config-values.ts";
import { orderFromManifest } from "./manifest.ts";

/** The manifest that `run` takes from the working folder if it is given neither a module nor a file. */
export const MANIFEST_FILE = "wasmatrix.json";

const FILE_MAX_BYTES = 1024 * 1024;

/** Settles the order: manifest, if there is one to read, with the flags on top. Throws `UsageError`, `INVALID_REQUEST` for a file larger than 1 MiB. */
export async function settleOrder(io: CliIo, module: string | undefined, flags: RunFlags): Promise<SettledOrder> {
  const configFile =
    flags.configFile === undefined
      ? undefined
      : configValuesFromText(await readText(io, "config file", flags.configFile), flags.configFile);
  const fromFlags = orderFromFlags(module, flags, configFile);
  const order =
    module !== undefined && flags.file === undefined
      ? fromFlags
      : mergedOrder(await manifestOrder(io, flags.file), fromFlags);
  assertRunOrder(order);
  if (order.module === undefined) throw new UsageError("Cannot start an instance: no module is named");
  return { ...order, module: order.module };
}

async function manifestOrder(io: CliIo, named: string | undefined): Promise<RunOrder> {
  const path = resolve(io.workDir, named ?? MANIFEST_FILE);
  const shown = named ?? MANIFEST_FILE;
  const text = await readText(io, "manifest", path, shown).catch((error: unknown) => {
    if (named !== undefined || !(error instanceof UsageError) || !error.message.endsWith(": there is no such file"))
      throw error;
    throw new UsageError(
      `Cannot start an instance: no module is named, and there is no ${MANIFEST_FILE} in this folder`,
      "name one, as in: wasmatrix run app.wasm; or write a manifest with: wasmatrix init",
    );
  });
  return orderFromManifest(text, path, shown);
}

async function readText(io: CliIo, what: string, path: string, shown: string = path): Promise<string> {
  const options = { what, maxBytes: FILE_MAX_BYTES, tooLarge: Reason.INVALID_REQUEST, signal: io.signal };
  return new TextDecoder().decode(await readFileBounded(resolve(io.workDir, path), { ...options, shownPath: shown }));
}
