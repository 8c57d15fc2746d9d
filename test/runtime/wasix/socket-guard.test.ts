import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";

it("sockets reach public addresses when they are granted, nothing else, and never listen", async () => {
  const worker = new Worker(new URL("./socket-guard-worker.ts", import.meta.url));
  const [passed] = await once(worker, "message");
  const denied = ["denied", "EACCES"];
  const nothing = [...Array.from({ length: 8 }, () => denied).flat(), "EACCES", "EACCES"];
  expect(passed).toEqual([
    "not granted:",
    ...nothing,
    "granted:",
    "allowed",
    "connect 93.184.215.14",
    "allowed",
    "connect 2606:2800:21f::1",
    ...Array.from({ length: 6 }, () => denied).flat(),
    "lookup example.com",
    "EACCES",
    "not granted:",
    ...nothing,
  ]);
  await worker.terminate();
});
