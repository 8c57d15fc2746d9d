/** Entry of a pool thread: takes messages, hosts copies of guests. */
import { parentPort, workerData } from "node:worker_threads";
import { serveThread } from "./serve-thread.ts";

if (parentPort !== null && workerData instanceof SharedArrayBuffer) serveThread(parentPort, workerData);
