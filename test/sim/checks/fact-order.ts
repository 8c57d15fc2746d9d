/** What a watcher of facts may rely on: each node's facts come in order and once, and a gap is said to be one. */
import type { WatchFactsResponse } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";

/** Reads one stream. */
export interface FactReader {
  read(part: WatchFactsResponse): void;
}

/** Begins to read. */
export function createFactReader(fail: (what: string) => void): FactReader {
  const positions = new Map<string, { readonly epoch: string; readonly sequence: bigint }>();
  return {
    read({ facts, gap }) {
      for (const { nodeId, epoch, sequence } of facts) {
        const before = positions.get(nodeId);
        positions.set(nodeId, { epoch, sequence });
        if (before === undefined) continue;
        if (epoch < before.epoch || (epoch === before.epoch && sequence <= before.sequence))
          fail(`fact ${nodeId}/${epoch}/${sequence} after ${before.epoch}/${before.sequence}`);
        if (epoch === before.epoch && sequence > before.sequence + 1n && !gap)
          fail(
            `fact ${nodeId}/${epoch}/${sequence} right after ${before.sequence}, without saying that there is a gap`,
          );
      }
    },
  };
}
