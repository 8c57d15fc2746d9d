/**
 * Which nodes remember where a key was placed, and what their answers come to. Pure.
 *
 * The homes of an instance are the nodes that rendezvous hashing ranks highest for its id: every control plane finds the same ones
 * without asking anybody, and one node that comes or goes changes at most one of them.
 */

/** Homes in a fleet of three nodes or more; smaller fleets have one. */
export const HOMES = 3;

/** The homes of an instance, best ranked first. `nodeIds` are all nodes that are known, silent ones too. */
export function homesOf(instanceId: string, nodeIds: Iterable<string>): readonly string[] {
  const ranked = [...nodeIds]
    .map((nodeId) => ({ nodeId, rank: hash(`${instanceId}/${nodeId}`) }))
    .toSorted((a, b) => b.rank - a.rank || (a.nodeId < b.nodeId ? -1 : 1))
    .map(({ nodeId }) => nodeId);
  return ranked.slice(0, ranked.length < HOMES ? 1 : HOMES);
}

/** What the answers of the homes come to. */
export type HomesVerdict =
  /** A majority names this node: it is decided for ever. */
  | { readonly kind: "decided"; readonly nodeId: string }
  /** All have answered and no majority can come about by itself: nobody has decided, so all may be brought to this node. */
  | { readonly kind: "split"; readonly nodeId: string }
  /** Too many did not answer: somebody else may have decided. */
  | { readonly kind: "unsure" };

/** `answers[i]` is what `homes[i]` said, undefined if nothing. */
export function verdictOfHomes(answers: readonly (string | undefined)[]): HomesVerdict {
  const counts = new Map<string, number>();
  for (const answer of answers) if (answer !== undefined) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  for (const [nodeId, count] of counts) if (count * 2 > answers.length) return { kind: "decided", nodeId };
  const first = answers[0];
  return first !== undefined && answers.every((answer) => answer !== undefined)
    ? { kind: "split", nodeId: first }
    : { kind: "unsure" };
}

/** FNV-1a with a final mix: even over similar texts. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
