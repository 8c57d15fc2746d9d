/** `wasmatrix version`. Loads nothing but this, so that it answers at once. */
import { addExamples, addOutputFlags, type CommandModule, type OutputFlags } from "../command-context.ts";
import { PROTOCOL_VERSION } from "../../protocol-version.ts";
import { packageVersion } from "../package-version.ts";

/** Prints the version of the program, of the protocol and of Node. */
export const define: CommandModule["define"] = (command, context) => {
  addOutputFlags(command).action(async (flags: OutputFlags) => {
    const version = packageVersion();
    const node = process.versions.node;
    const text = flags.json
      ? JSON.stringify({ version, protocol: PROTOCOL_VERSION, node }, undefined, 2)
      : `wasmatrix ${version} (protocol ${String(PROTOCOL_VERSION)}, Node ${node})`;
    await context.io.stdout.write(`${text}\n`);
  });
  addExamples(command, [
    ["version", "print the version"],
    ["version --json", "for a script"],
  ]);
};
