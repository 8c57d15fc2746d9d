/** One call into a guest, as the agent's side of the line sees it. */
import type { Fault } from "../fault.ts";
import type { FromGuest, ToGuest } from "./worker-protocol.ts";

/** What the guest's thread says during a call. */
export type CallMessage = Extract<
  FromGuest,
  { kind: "returned" | "readBody" | "head" | "noResponse" | "body" | "awaitReader" | "handled" }
>;

/** Posts to the guest's thread; does nothing once the guest has ended. */
export type SendToGuest = (message: ToGuest) => void;

/** A call that waits in the queue or runs. Whoever made it holds the promise that it settles. */
export interface GuestCall {
  /** The message that begins the call in the guest's thread. */
  readonly opening: ToGuest;
  /** Takes a message of the guest; returns whether the guest is free again. */
  accept(message: CallMessage): boolean;
  /** Settles what the caller waits for. What the guest still does for this call is thrown away. */
  abandon(why: Fault): void;
  /** Whether the guest is kept by a caller that is slow or gone, so that its time is not its own. */
  readonly isHeldByCaller: boolean;
  /** Makes the guest's reads and writes for this call fail, so that it can return. */
  letGo(): void;
}
