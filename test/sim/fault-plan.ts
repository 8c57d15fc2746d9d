/** What goes wrong in one run, drawn from its seed before it begins: data, so that it can be printed, shrunk and replayed. */
import type { Random } from "./random.ts";

/** One fault. Times are virtual, from the beginning of the run. */
export type Fault =
  | { readonly kind: "crash-agent"; readonly node: number; readonly atMs: number; readonly downMs: number; readonly disk: "kept" | "power-cut" | "wiped" | "stale" }
  | { readonly kind: "pause-agent"; readonly node: number; readonly atMs: number; readonly forMs: number }
  | { readonly kind: "crash-control-plane"; readonly index: number; readonly atMs: number; readonly downMs: number }
  | { readonly kind: "pause-control-plane"; readonly index: number; readonly atMs: number; readonly forMs: number }
  /** Messages from one host to another are lost, the other way they are not. `*` stands for all. */
  | { readonly kind: "one-way"; readonly from: string; readonly to: string; readonly atMs: number; readonly forMs: number }
  | { readonly kind: "partition"; readonly host: string; readonly atMs: number; readonly forMs: number }
  | { readonly kind: "bad-weather"; readonly atMs: number; readonly forMs: number; readonly lost: number; readonly cut: number; readonly again: number; readonly slowMs: number }
  | { readonly kind: "clock-jump"; readonly host: string; readonly atMs: number; readonly byMs: number }
  | { readonly kind: "back-up"; readonly node: number; readonly atMs: number };

/** How large a world is, and for how long it is troubled. */
export type WorldSize = {
  readonly nodes: number;
  readonly controlPlanes: number;
  readonly troubleMs: number;
};

/** Draws a plan: some seeds are calm, some have a few faults, some many. */
export function drawFaults(random: Random, size: WorldSize): readonly Fault[] {
  const count = random.pick([0, 1, 2, 4, 6, 10]);
  return Array.from({ length: count }, () => drawFault(random, size)).toSorted((a, b) => a.atMs - b.atMs);
}

function drawFault(random: Random, { nodes, controlPlanes, troubleMs }: WorldSize): Fault {
  const atMs = random.whole(0, troubleMs);
  const node = random.whole(0, nodes - 1);
  const index = random.whole(0, controlPlanes - 1);
  const host = random.chance(0.7) ? `node-${node}` : `cp-${index}`;
  const shortMs = random.pick([50, 500, 3_000]);
  const longMs = random.pick([1_000, 6_000, 13_000, 20_000]);
  switch (random.whole(0, 9)) {
    case 0:
    case 1:
      return { kind: "crash-agent", node, atMs, downMs: random.pick([0, 100, 2_000, 14_000]), disk: random.pick(["kept", "kept", "power-cut", "wiped", "stale"]) };
    case 2:
      return { kind: "pause-agent", node, atMs, forMs: random.pick([shortMs, longMs]) };
    case 3:
    case 4:
      return { kind: "crash-control-plane", index, atMs, downMs: random.pick([0, 100, 3_000, 12_000]) };
    case 5:
      return { kind: "pause-control-plane", index, atMs, forMs: shortMs };
    case 6:
      return { kind: "one-way", from: random.pick([host, "*"]), to: random.pick([`node-${node}`, `cp-${index}`]), atMs, forMs: random.pick([shortMs, longMs]) };
    case 7:
      return { kind: "partition", host, atMs, forMs: longMs };
    case 8:
      return { kind: "bad-weather", atMs, forMs: longMs, lost: random.pick([0, 0.05, 0.3]), cut: random.pick([0, 0.05]), again: random.pick([0, 0.1]), slowMs: random.pick([0, 200, 3_000]) };
    default:
      return random.chance(0.5)
        ? { kind: "clock-jump", host, atMs, byMs: random.pick([-3_600_000, -5_000, 5_000, 3_600_000]) }
        : { kind: "back-up", node, atMs };
  }
}
