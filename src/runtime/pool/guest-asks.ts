/** What copies of one guest ask of the agent, and what they say on the side: carried out, and answered to the copy that asked. */
import type { Clock } from "../../clock.ts";
import { isFault, Reason } from "../../fault.ts";
import type { Asked } from "../host/guest-line.ts";
import type { Ending, GuestStart } from "../runtime.ts";
import type { GuestCopy } from "./guest-copy.ts";
import { createOutgoingRequest, type OutgoingRequest } from "./outgoing-request.ts";
import { createOutputMeter, linesIn, type OutputMeter } from "./output-meter.ts";
import { windowCost, type FromThread, type ToCopy } from "./protocol.ts";

/** What copies ask and say outside of their calls. */
export type AskMessage = Extract<
  FromThread,
  {
    kind:
      | "output"
      | "log"
      | "audit"
      | "kv"
      | "messaging"
      | "http"
      | "httpPiece"
      | "httpEnd"
      | "httpRead"
      | "httpAbandon";
  }
>;

/** See the top of the file. */
export interface GuestAsks {
  accept(copy: GuestCopy, message: AskMessage): void;
  /** The copy is no more. */
  forget(copy: GuestCopy): void;
  /** The guest is no more. */
  close(): void;
}

/** Carries out in the name of the guest of `start`; `onLimit` is told when it writes more than it may. */
export function createGuestAsks(
  start: Pick<GuestStart, "id" | "host" | "limits">,
  clock: Clock,
  onLimit: (ending: Ending) => void,
): GuestAsks {
  const { id, host, limits } = start;
  let meter: OutputMeter | undefined;
  let requests: Map<GuestCopy, Map<number, OutgoingRequest>> | undefined;

  /** Says whether what was written is within the limits. */
  function measure(bytes: number, lines: number): boolean {
    meter ??= createOutputMeter(limits);
    const exceeded = meter.add(bytes, lines, clock.steadyMs());
    if (exceeded === undefined) return true;
    onLimit({ kind: "limit", limit: exceeded, message: `wrote more than ${exceeded} allows (${limits[exceeded]})` });
    return false;
  }

  function answer(copy: GuestCopy, message: ToCopy): void {
    copy.thread.post({ ...message, copy: copy.number });
  }

  function beginRequest(copy: GuestCopy, { ask, head }: Extract<AskMessage, { kind: "http" }>): void {
    requests ??= new Map();
    const ofCopy = requests.get(copy) ?? new Map<number, OutgoingRequest>();
    requests.set(copy, ofCopy);
    const onDone = (): void => {
      ofCopy.delete(ask);
      if (ofCopy.size === 0) requests?.delete(copy);
      answer(copy, { kind: "httpOver", ask });
    };
    ofCopy.set(ask, createOutgoingRequest({ id, ask, head, host, send: (message) => answer(copy, message), onDone }));
  }

  function forget(copy: GuestCopy): void {
    for (const request of requests?.get(copy)?.values() ?? []) request.abandon();
  }

  return {
    accept(copy, message) {
      switch (message.kind) {
        case "output": {
          const { stream, bytes } = message;
          if (!measure(bytes.length, linesIn(bytes))) return;
          host.output(stream, bytes);
          return copy.thread.post({ kind: "outputTaken", copy: copy.number, stream, bytes: windowCost(bytes.length) });
        }
        case "log": {
          const length = message.message.length + message.context.length;
          if (!measure(length, 1)) return;
          host.log(message.level, message.context, message.message);
          return copy.thread.post({ kind: "outputTaken", copy: copy.number, stream: "log", bytes: windowCost(length) });
        }
        case "audit":
          return host.audit(message.permission, message.outcome, message.count);
        case "kv":
          return void asked(() => host.kv(message.call), "key-value").then((given) =>
            answer(copy, { kind: "kvAnswer", ask: message.ask, answer: given }),
          );
        case "messaging":
          return void asked(() => host.messaging(message.call), "messaging").then((given) =>
            answer(copy, { kind: "messagingAnswer", ask: message.ask, answer: given }),
          );
        case "http":
          return beginRequest(copy, message);
        default:
          return requests?.get(copy)?.get(message.ask)?.accept(message);
      }
    },
    forget,
    close() {
      for (const copy of requests?.keys() ?? []) forget(copy);
    },
  };
}

async function asked<Answer>(work: () => Promise<Answer>, what: string): Promise<Asked<Answer>> {
  try {
    return { tag: "ok", val: await work() };
  } catch (error) {
    // Lost: the cause. The guest is told what it may know; the host that rejected keeps its own records.
    const isDenied = isFault(error, Reason.CAPABILITY_DENIED);
    return { tag: "err", val: { isDenied, message: isFault(error) ? error.message : `the ${what} host failed` } };
  }
}
