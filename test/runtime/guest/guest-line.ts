/** Both ends of the line between agent and guest in one thread: answers are posted before the guest asks. */
import { MessageChannel, receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import { openAgentChannel, type AgentChannel } from "../../../src/runtime/guest/agent-channel.ts";
import type { FromGuest, ToGuest } from "../../../src/runtime/worker-protocol.ts";

/** The guest's end, and the agent's. */
export type GuestLine = {
  readonly channel: AgentChannel;
  post(message: ToGuest): void;
  /** What the guest has posted since the last time. */
  said(): FromGuest[];
  readonly agentPort: MessagePort;
  close(): void;
};

/** Opens a line. */
export function openGuestLine(): GuestLine {
  const { port1, port2 } = new MessageChannel();
  const wake = new SharedArrayBuffer(4);
  return {
    channel: openAgentChannel(port2, wake),
    post: (message) => port1.postMessage(message),
    said() {
      const messages: FromGuest[] = [];
      for (let got = receiveMessageOnPort(port1); got !== undefined; got = receiveMessageOnPort(port1))
        messages.push(got.message);
      return messages;
    },
    agentPort: port1,
    close: () => port1.close(),
  };
}
