/** `wasmatrix init`. */
import { readdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { CliIo } from "../cli-io.ts";
import { addExamples, addOutputFlags, type CommandModule, type OutputFlags } from "../command-context.ts";
import { reportFromBytes, type ModuleReport } from "../inspect/module-report.ts";
import { documentText } from "../json-output.ts";
import { manifestFor } from "../manifest/new-manifest.ts";
import { MANIFEST_FILE } from "../manifest/settle-order.ts";
import { readModuleFile } from "../module-choice.ts";
import { packageUrl } from "../package-version.ts";
import { UsageError } from "../usage-error.ts";

type InitFlags = OutputFlags & { readonly force?: boolean };

/** Writes a manifest into the working folder. */
export const define: CommandModule["define"] = (command, { io }) => {
  command
    .description(
      `Write ${MANIFEST_FILE} into this folder, for wasmatrix run. It grants nothing; what the module may need is told on stderr.`,
    )
    .argument("[file]", "the .wasm file that it is for; default: the only one in this folder, or app.wasm")
    .option("--force", "overwrite one that is there");
  addOutputFlags(command).action(async (file: string | undefined, flags: InitFlags) => init(io, file, flags));
  addExamples(command, [
    ["init", "for the module in this folder"],
    ["init build/app.wasm", "for another one"],
  ]);
};

async function init(io: CliIo, asked: string | undefined, flags: InitFlags): Promise<void> {
  const file = asked ?? (await onlyModule(io.workDir));
  const report = file === undefined ? undefined : await reportOf(io, file);
  const manifest = manifestFor({
    module: file ?? "app.wasm",
    kind: report?.shape?.kind,
    folder: io.workDir,
    schemaUrl: new URL("schema/wasmatrix.schema.json", packageUrl),
  });
  const path = join(io.workDir, MANIFEST_FILE);
  await writeFile(path, documentText(manifest), { flag: flags.force === true ? "w" : "wx" }).catch(refused);
  await io.stdout.write(flags.json === true ? documentText({ file: path, manifest }) : `${MANIFEST_FILE}\n`);
  if (file === undefined)
    await io.stderr.write(`note: there is no one module in this folder; put its file for "module"\n`);
  if (report !== undefined) await io.stderr.write(needsText(file ?? "", report));
}

async function onlyModule(folder: string): Promise<string | undefined> {
  const modules = (await readdir(folder)).filter((name) => name.endsWith(".wasm"));
  return modules.length === 1 ? modules[0] : undefined;
}

async function reportOf(io: CliIo, file: string): Promise<ModuleReport> {
  const { bytes } = await readModuleFile(resolve(io.workDir, file), { shownPath: file, signal: io.signal });
  return reportFromBytes(bytes);
}

function needsText(file: string, { shape, problem, needs }: ModuleReport): string {
  if (shape === undefined) return `note: ${basename(file)} cannot run here: ${problem}\n`;
  const lines = needs.flatMap(({ permissions, denyFlag, why }) => {
    if (permissions.length === 0) return [];
    const without = denyFlag === undefined ? "" : '; or one of them under "deny", without which it does not start';
    return [`  ${permissions.map((one) => JSON.stringify(one)).join(", ")}, to ${why}${without}\n`];
  });
  return lines.length === 0 ? "" : `note: it may need, under "permissions", "allow":\n${lines.join("")}`;
}

function refused(error: unknown): never {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  throw code === "EEXIST"
    ? new UsageError(`Cannot write ${MANIFEST_FILE}: there is one already`, "overwrite it with --force")
    : new UsageError(`Cannot write ${MANIFEST_FILE}: ${code}`);
}
