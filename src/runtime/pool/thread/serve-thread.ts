/** What a pool thread does: messages come in batches, and each goes to the copy that it names. */
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import type { ToThread } from "../protocol.ts";
import { openThreadBoard } from "../thread-board.ts";
import { openHostedCopy, type HostedCopy } from "./hosted-copy.ts";
import { createOutbox } from "./outbox.ts";
import { createPrograms } from "./programs.ts";
import { createRunQueue } from "./run-queue.ts";

/** Serves the port until the thread is ended. */
export function serveThread(port: MessagePort, shared: SharedArrayBuffer): void {
  const board = openThreadBoard(shared);
  const { queue, outbox } = createRunQueue({
    board,
    makeOutbox: (onFirst) => createOutbox(port, onFirst),
    beforeEach: lookForUrgent,
  });
  const programs = createPrograms();
  const copies = new Map<number, HostedCopy>();
  /** What has come and was not carried out yet, in order: guests run in between. */
  let inbox: ToThread[] = [];
  let isDraining = false;
  let urgentSeen = 0;

  function carryOut(message: ToThread): void {
    switch (message.kind) {
      case "program":
        return programs.add(message.number, message);
      case "forget":
        return programs.forget(message.program);
      case "open":
        copies.set(
          message.copy,
          openHostedCopy(message, {
            board,
            queue,
            outbox,
            lookForRights: lookForUrgent,
            instantiate: (deps) => programs.instantiate(message.program, deps),
            onGone: () => copies.delete(message.copy),
          }),
        );
        return;
      case "rights":
        return setRights(message);
      case "dispose": {
        const copy = copies.get(message.copy);
        if (copy === undefined) outbox.post({ kind: "gone", copy: message.copy });
        return copy?.dispose();
      }
      case "call":
        return copies.get(message.copy)?.call(message);
      case "withdraw":
        return copies.get(message.copy)?.withdraw(message.ticket);
      case "outputTaken":
        return copies.get(message.copy)?.line.outputTaken(message.stream, message.bytes);
      default:
        return copies.get(message.copy)?.accept(message);
    }
  }

  function setRights({ copies: numbers, rights, version }: Extract<ToThread, { kind: "rights" }>): void {
    for (const number of numbers) copies.get(number)?.line.setRights(rights, version);
  }

  /**
   * Looks for what cannot wait until messages are heard again: called before any guest gets the processor, and by a guest
   * on the processor before each operation that its rights decide.
   */
  function lookForUrgent(): void {
    const version = board.urgentVersion();
    if (version === urgentSeen) return;
    urgentSeen = version;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      take(next.message);
    if (!isDraining) setImmediate(drain);
    for (const message of inbox) {
      if (message.kind === "rights") setRights(message);
      if (message.kind === "dispose") copies.get(message.copy)?.doom();
    }
  }

  function take(batch: readonly ToThread[]): void {
    for (const message of batch) inbox.push(message);
  }

  function drain(): void {
    if (isDraining) return;
    isDraining = true;
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) carryOut(next);
    isDraining = false;
  }

  port.on("message", (batch: ToThread[]) => {
    take(batch);
    drain();
  });
}
