/** A thread that reads without pause and checks that each value is whole: it begins with its own length, and all that follows is one byte. */
import { parentPort, workerData } from "node:worker_threads";
import { kvReaderFromShared, type SharedKv } from "../../../../src/providers/kv/shared/kv-reader.ts";

/** What it has seen. */
export type HammerReport = {
  readonly torn: readonly string[];
  readonly values: number;
  readonly missing: number;
  readonly asks: number;
};

const { shared, keys, stop } = workerData as {
  readonly shared: SharedKv;
  readonly keys: readonly string[];
  readonly stop: SharedArrayBuffer;
};
const reader = kvReaderFromShared(shared);
const isStopped = new Int32Array(stop);
const torn: string[] = [];
let [values, missing, asks] = [0, 0, 0];

while (Atomics.load(isStopped, 0) === 0) {
  for (const key of keys) {
    const read = reader.get("bucket", key);
    if (read.kind === "missing") missing += 1;
    else if (read.kind === "ask") asks += 1;
    else {
      values += 1;
      const { value } = read;
      const said = new DataView(value.buffer, value.byteOffset).getUint32(0);
      const fill = value[4];
      if (said !== value.length || value.subarray(4).some((byte) => byte !== fill)) {
        if (torn.length < 10) torn.push(`${key}: ${said} of ${value.length}`);
      }
    }
  }
}
parentPort?.postMessage({ torn, values, missing, asks } satisfies HammerReport);
