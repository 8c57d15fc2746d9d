#!/usr/bin/env node
/** The program `wasmatrix`. */
import { nodeTooOld } from "./node-version.ts";
import { createProcessIo } from "./process-io.ts";
import { runCli } from "./run-cli.ts";

const tooOld = nodeTooOld(process.versions.node);
if (tooOld !== undefined) {
  console.error(tooOld);
  process.exit(1);
}
// Timers of ours do not keep a process alive; a command that is under way does.
const underWay = setInterval(() => undefined, 2 ** 30);
const exitCode = await runCli(process.argv.slice(2), createProcessIo());
clearInterval(underWay);
// Not left to the event loop: kept-alive connections and a stdin that nobody read would hold it.
process.exit(exitCode);
