/** What control planes answer: nothing that no agent said, and nothing about now that was heard too long ago. */
import { assignmentFromGrant } from "../../../src/agent/assignments.ts";
import type { InstanceRecord } from "../../../src/agent/instance-record.ts";
import {
  InstanceState,
  InstanceStateSchema,
  type Assignment,
  type Instance,
} from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { History, Watcher } from "../history.ts";

/** After so much silence a node counts as lost; clocks drift by a hundredth, and messages travel. */
const LOST_AFTER_MS = 10_000 * 1.02 + 100;

const LIVE_STATES: ReadonlySet<InstanceState> = new Set([
  InstanceState.STARTING,
  InstanceState.RUNNING,
  InstanceState.BACKOFF,
  InstanceState.STOPPING,
]);

/** See the top of the file. */
export interface Answers extends Watcher {
  /** Judges an answer of a control plane's process to a question that was sent at `sentMs`. */
  judge(life: string, instances: readonly Instance[], sentMs: number): void;
}

/** Begins to watch. */
export function watchAnswers(history: History): Answers {
  /** Everything that an agent ever journalled, which is all that it may ever say. */
  const recorded = new Set<string>();
  return {
    onRecord: (node, record) => void recorded.add(sayingOf(node, record)),
    judge(life, instances, sentMs) {
      for (const instance of instances) {
        if (instance.state === InstanceState.UNKNOWN) continue;
        const said = textOf(instance.nodeId, { ...instance, state: stateWord(instance.state) });
        if (!recorded.has(said)) history.fail(`${life} answered ${said}, which no agent ever recorded`);
        if (!LIVE_STATES.has(instance.state)) continue;
        const heardMs = history.contacts.get(`${life} ${instance.nodeId}`) ?? 0;
        if (heardMs < sentMs - LOST_AFTER_MS)
          history.fail(
            `${life} answered ${said} and had not heard of ${instance.nodeId} for ${Math.round(sentMs - heardMs)} ms`,
          );
      }
    },
  };
}

/** The word of the agents for a state. */
export function stateWord(state: InstanceState): string {
  return InstanceStateSchema.value[state]?.localName.toLowerCase() ?? "";
}

function sayingOf(node: string, { id, generation, state, grants }: InstanceRecord): string {
  return textOf(node, { id, generation, state, assignments: grants.map(assignmentFromGrant) });
}

type Saying = {
  readonly id: string;
  readonly generation: bigint;
  readonly state: string;
  readonly assignments: readonly Pick<Assignment, "permissions">[];
};

function textOf(node: string, { id, generation, state, assignments }: Saying): string {
  return `${node}/${id}/${generation}/${state}/${assignments.flatMap(({ permissions }) => permissions).join("+")}`;
}
