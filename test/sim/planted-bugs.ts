/** Bugs that the simulator must find: the measure of what it can see. Only its own tests plant them. */

/** A change of the production code that breaks one of its promises. */
export type PlantedBug = {
  readonly name: string;
  /** From the repository's root. */
  readonly file: string;
  /** Text that is there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** It is found within so many seeds from 1 on. */
  readonly withinSeeds: number;
};

/** All of them. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "the epoch of a report is not compared",
    file: "src/cp/fold.ts",
    find: "if (held && report.epoch < held.epoch) return {",
    replace: "if (held && report.epoch === '' && report.epoch < held.epoch) return {",
    withinSeeds: 1,
  },
  {
    name: "the report that came last is the newest",
    file: "src/cp/fold.ts",
    find: "held.coverage === undefined || fact.sequence > held.coverage",
    replace: "held.coverage !== null",
    withinSeeds: 1,
  },
  {
    name: "a report that is doubled is remembered twice",
    file: "src/cp/fold/remembered-facts.ts",
    find: "for (const fact of added) if (!holds(held, fact)) unseen",
    replace: "for (const fact of added) unseen",
    withinSeeds: 1,
  },
  {
    name: "an agent ignores that a snapshot is needed",
    file: "src/agent/report-plan.ts",
    find: 'return acknowledged === undefined ? { kind: "behind" } : { kind: "holds", sequence: acknowledged };',
    replace: 'return { kind: "holds", sequence: acknowledged ?? log.sequence };',
    withinSeeds: 1,
  },
  {
    name: "an epoch is the clock's time",
    file: "src/agent/epoch.ts",
    find: "Math.max(input.nowMs, input.lastCounter + 1)",
    replace: "input.nowMs",
    withinSeeds: 1,
  },
  {
    name: "what a silent node ran is said to run",
    file: "src/cp/fleet-view.ts",
    find: "heard || hasEnded(instance)",
    replace: "true || heard || hasEnded(instance)",
    withinSeeds: 1,
  },
  {
    name: "a reservation is whoever's comes last",
    file: "src/agent/fleet/reservations.ts",
    find: "if (before !== undefined && before.nodeId !== refusedByNodeId) return before.nodeId;",
    replace: "",
    withinSeeds: 1,
  },
  {
    name: "a start is retried by a control plane that knows of no node",
    file: "src/cp/start/start-instance.ts",
    find: "if (isRetry && deps.mayLackNodes()) throw",
    replace: "if (isRetry && instanceId === '') throw",
    withinSeeds: 1,
  },
  {
    name: "a claim is not compared with what is placed",
    file: "src/agent/fleet/witness-rules.ts",
    find: `if (held.stopped || held.generation !== claim.expectedGeneration) {
    throw superseded(held, \`a claim on generation \${claim.expectedGeneration}\`);
  }
  const next = held.generation + 1n;`,
    replace: "const next = claim.expectedGeneration + 1n;",
    withinSeeds: 1,
  },
  {
    name: "an older generation is not fenced",
    file: "src/cp/witness/generation-plan.ts",
    find: 'return [{ kind: "fence", instanceId, nodeId, byGeneration: highest }];',
    replace: "return [];",
    withinSeeds: 1,
  },
  {
    name: "a stop is not told to the witness",
    file: "src/cp/services/instance-orders.ts",
    find: "await deps.witnesses.stop(target, options);",
    replace: "",
    withinSeeds: 1,
  },
  {
    name: "a revocation is not told to the witness",
    file: "src/cp/services/capabilities.ts",
    find: `// A revocation that its witness does not know would come back with the next generation.
      await deps.witnesses.amend(answer.instance, options);`,
    replace: "",
    withinSeeds: 1,
  },
  {
    name: "a stop is acknowledged before it is safe on the disk",
    file: "src/agent/instance-life.ts",
    find: 'commit(stopOrdered(record, graceMs), "order", requestId);',
    replace: 'commit(stopOrdered(record, graceMs), "observation", requestId);',
    withinSeeds: 1,
  },
  {
    name: "what is never to be restarted is",
    file: "src/agent/restart-policy.ts",
    find: `case "never":
      return false;`,
    replace: `case "never":
      return true;`,
    withinSeeds: 1,
  },
  {
    name: "retries have no end",
    file: "src/agent/restart-policy.ts",
    find: "if (policy.maxRetries > 0 && retriesBefore >= policy.maxRetries)",
    replace: "if (policy.maxRetries < 0)",
    withinSeeds: 1,
  },
  {
    name: "the room for an instance is looked at too early",
    file: "src/agent/supervisor.ts",
    find: `const { kind } = await deps.modules.shape(order.spec.moduleDigest);
    // From here to the journal nothing waits, so that two orders cannot both take the last room.
    assertOpen("start an instance");
    const load = loadOf(records(lives));`,
    replace: `const load = loadOf(records(lives));
    const { kind } = await deps.modules.shape(order.spec.moduleDigest);
    assertOpen("start an instance");`,
    withinSeeds: 1,
  },
  {
    name: "orders under way are counted for ever",
    file: "src/cp/start/placement-nodes.ts",
    find: "count.instances -= 1;",
    replace: "",
    withinSeeds: 1,
  },
  {
    name: "an older journal is not noticed",
    file: "src/cp/stale/stale-journals.ts",
    find: "const unlisten = fleet.onChange(({ node }) => look(node));",
    replace: "const unlisten = (): void => void look;",
    withinSeeds: 1,
  },
  {
    name: "a lost lease is not noticed",
    file: "src/discovery/registration.ts",
    find: "lease !== undefined && !(await store.keepAlive(lease))",
    replace: "lease !== undefined && (await store.keepAlive(lease), false)",
    withinSeeds: 1,
  },
  {
    name: "a directory relies on its watch",
    file: "src/discovery/directory.ts",
    find: "lookIntervalMs * (0.75 + entropy.fraction() / 2)",
    replace: "1_000 * lookIntervalMs",
    withinSeeds: 1,
  },
  {
    name: "instances are written to etcd",
    file: "src/discovery/discovery-key.ts",
    find: "`${DISCOVERY_FOLDERS.node}${subject.nodeId}`",
    replace: "`${DISCOVERY_PREFIX}instances/${subject.nodeId}`",
    withinSeeds: 1,
  },
  {
    name: "a report stream that is silent is believed to stand",
    file: "src/cp/report-streams.ts",
    find: "const SILENT_INTERVALS = 1.5;",
    replace: "const SILENT_INTERVALS = 1_000;",
    withinSeeds: 1,
  },
];
