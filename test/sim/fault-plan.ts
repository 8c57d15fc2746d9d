/** What goes wrong in one run, drawn from its seed before it begins: data, so that it can be printed, shrunk and replayed. */
import type { DiskFate } from "./history.ts";
import type { Random } from "./random.ts";

type Timed = { readonly atMs: number };
type Lasting = Timed & { readonly forMs: number };
type Down = Timed & { readonly downMs: number };

/** One fault. Times are virtual, from the beginning of the run. */
export type Fault =
  | (Down & { readonly kind: "crash-agent"; readonly node: number; readonly disk: DiskFate })
  /** The agent dies at its nth write to a journal, which still takes place or not. */
  | (Down & { readonly kind: "torn-write"; readonly node: number; readonly nth: number; readonly takesPlace: boolean })
  /** It never comes back. */
  | (Timed & { readonly kind: "lose-node"; readonly node: number })
  /** It shuts down in order, and comes back. */
  | (Down & { readonly kind: "leave"; readonly node: number })
  | (Lasting & { readonly kind: "pause-agent"; readonly node: number })
  | (Timed & { readonly kind: "back-up"; readonly node: number })
  | (Down & { readonly kind: "crash-control-plane"; readonly index: number })
  | (Down & { readonly kind: "crash-control-planes" })
  | (Lasting & { readonly kind: "pause-control-plane"; readonly index: number })
  /** A process dies at its nth message from now on, which still goes out or not. */
  | (Down & { readonly kind: "die-sending"; readonly host: string; readonly nth: number; readonly takesPlace: boolean })
  /** Messages from one host to another are lost, the other way they are not. `*` stands for all. */
  | (Lasting & { readonly kind: "one-way"; readonly from: string; readonly to: string })
  | (Lasting & { readonly kind: "partition"; readonly host: string })
  | (Lasting & {
      readonly kind: "bad-weather";
      readonly lost: number;
      readonly cut: number;
      readonly again: number;
      readonly slowMs: number;
    })
  | (Timed & { readonly kind: "clock-jump"; readonly host: string; readonly byMs: number })
  | (Lasting & { readonly kind: "etcd-away" })
  | (Lasting & { readonly kind: "etcd-lags"; readonly byMs: number })
  | (Lasting & { readonly kind: "etcd-watches-drop" })
  | (Timed & { readonly kind: "etcd-wiped" });

/** How large a world is, and for how long it is troubled. */
export type WorldSize = {
  readonly nodes: number;
  readonly controlPlanes: number;
  readonly troubleMs: number;
};

/** Draws a plan: some seeds are calm, some have a few faults, some many. */
export function drawFaults(random: Random, size: WorldSize, withEtcd: boolean): readonly Fault[] {
  const count = random.pick([0, 1, 2, 3, 5, 8]);
  const faults = Array.from({ length: count }, () => drawFault(random, size, withEtcd)).toSorted(
    (a, b) => a.atMs - b.atMs,
  );
  // What survives the loss of one node is promised; two at once are another matter.
  const lost = faults.find(({ kind }) => kind === "lose-node");
  return faults.filter((fault) => fault.kind !== "lose-node" || fault === lost);
}

/** A process that is doomed dies within this time or not at all. */
export const DOOM_MS = 4_000;

/** When the last fault of a plan has ended by itself. */
export function faultsEndMs(faults: readonly Fault[]): number {
  return Math.max(0, ...faults.map(endMs));
}

function endMs(fault: Fault): number {
  const beginsMs = fault.atMs + ("nth" in fault ? DOOM_MS : 0) + (fault.kind === "leave" ? LEAVE_MS : 0);
  return beginsMs + ("forMs" in fault ? fault.forMs : 0) + ("downMs" in fault ? fault.downMs : 0);
}

/** An agent that shuts down in order may take so long. */
const LEAVE_MS = 4_000;

function drawFault(random: Random, { nodes, controlPlanes, troubleMs }: WorldSize, withEtcd: boolean): Fault {
  const atMs = random.whole(0, troubleMs);
  const node = random.whole(0, nodes - 1);
  const index = random.whole(0, controlPlanes - 1);
  const host = random.chance(0.6) ? `node-${node}` : `cp-${index}`;
  const shortMs = random.pick([50, 500, 3_000]);
  const longMs = random.pick([1_000, 6_000, 12_000]);
  const downMs = random.pick([0, 100, 3_000, 13_000]);
  const takesPlace = random.chance(0.5);
  switch (random.whole(0, withEtcd ? 17 : 14)) {
    case 0:
    case 1:
      return {
        kind: "crash-agent",
        node,
        atMs,
        downMs,
        disk: random.pick(["kept", "kept", "power-cut", "wiped", "stale"]),
      };
    case 2:
      return { kind: "torn-write", node, atMs, nth: random.whole(1, 5), takesPlace, downMs };
    case 3:
      return nodes > 1 && random.chance(0.4)
        ? { kind: "lose-node", node, atMs }
        : { kind: "leave", node, atMs, downMs };
    case 4:
      return { kind: "pause-agent", node, atMs, forMs: random.pick([shortMs, longMs]) };
    case 5:
    case 6:
      return { kind: "crash-control-plane", index, atMs, downMs };
    case 7:
      return { kind: "crash-control-planes", atMs, downMs: random.pick([0, 100, 3_000]) };
    case 8:
      return { kind: "pause-control-plane", index, atMs, forMs: random.pick([shortMs, longMs]) };
    case 9:
      return { kind: "die-sending", host, atMs, nth: random.whole(1, 8), takesPlace, downMs };
    case 10:
      return {
        kind: "one-way",
        from: random.pick([host, "*"]),
        to: random.pick([`node-${node}`, `cp-${index}`]),
        atMs,
        forMs: random.pick([shortMs, longMs]),
      };
    case 11:
      return { kind: "partition", host, atMs, forMs: longMs };
    case 12:
    case 13:
      return {
        kind: "bad-weather",
        atMs,
        forMs: longMs,
        lost: random.pick([0, 0.05, 0.3]),
        cut: random.pick([0, 0.05]),
        again: random.pick([0, 0.1]),
        slowMs: random.pick([0, 200, 3_000]),
      };
    case 14:
      return random.chance(0.5)
        ? { kind: "clock-jump", host, atMs, byMs: random.pick([-3_600_000, -5_000, 5_000, 3_600_000]) }
        : { kind: "back-up", node, atMs };
    case 15:
      return { kind: "etcd-away", atMs, forMs: random.pick([longMs, 20_000]) };
    case 16:
      return random.chance(0.5)
        ? { kind: "etcd-lags", atMs, forMs: longMs, byMs: random.pick([500, 5_000]) }
        : { kind: "etcd-watches-drop", atMs, forMs: longMs };
    default:
      return { kind: "etcd-wiped", atMs };
  }
}
