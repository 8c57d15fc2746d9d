/** A control plane with one node on which some instances run. */
import { createTestFleet, inline, type TestFleet } from "../test-fleet.ts";

export async function startedFleet(
  names: readonly string[] = ["web"],
): Promise<{ fleet: TestFleet; agent: Awaited<ReturnType<TestFleet["addAgent"]>>; ids: string[] }> {
  const fleet = createTestFleet();
  const agent = await fleet.addAgent();
  const ids: string[] = [];
  for (const name of names) {
    const { instance } = await fleet.client.startInstance({ spec: { name, labels: { name } }, module: inline() });
    ids.push(instance?.id ?? "");
  }
  return { fleet, agent, ids };
}
