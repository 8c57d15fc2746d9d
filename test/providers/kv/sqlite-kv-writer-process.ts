/** The process that `sqlite-kv.test.ts` kills: it writes until then, and tells its parent each round that was acknowledged. */
import { openSqliteKv } from "../../../src/providers/kv/sqlite-kv.ts";

const kv = await openSqliteKv({ file: process.argv[2] ?? "" });
const value = new Uint8Array(5000).fill(7);
for (;;) {
  const round = String(Number(await kv.increment("rounds", "next", 1n))).padStart(8, "0");
  await kv.setMany("b", [
    [`left-${round}`, value],
    [`right-${round}`, value],
  ]);
  const count = await kv.increment("b", "count", 1n);
  // Waits until the message has left, so that what the parent counts was acknowledged, and the pipe does not fill.
  await new Promise((resolve) => process.send?.(Number(count), resolve));
}
