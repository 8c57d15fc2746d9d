/** One measurement in a process of its own, so that none finds the memory that another has left: prints its result as JSON. */
import { rebuildFleet } from "./rebuild.ts";
import type { FleetShape } from "./fleet-shapes.ts";

const [section = "", given = "{}"] = process.argv.slice(2);
const shape: FleetShape = {
  nodes: 100,
  instancesPerNode: 100,
  perName: 20,
  everyRestartsElsewhere: 0,
  ...JSON.parse(given),
};

switch (section) {
  case "rebuild": {
    const fleet = await rebuildFleet(shape, 20);
    console.log(
      JSON.stringify({ cpuMs: fleet.cost.cpuMs, wallMs: fleet.cost.wallMs, rssMiB: fleet.peakRssBytes / 2 ** 20 }),
    );
    await fleet.close();
    break;
  }
  default:
    throw new Error(`there is no section "${section}"`);
}
process.exit(0);
