/** Instantiates components: HTTP handlers, commands, message handlers, and functions that are called one by one. */
import type { ComponentPlan } from "../../component/component-plan.ts";
import { instantiateComponent, type ComponentInstance } from "../../component/instantiate-component.ts";
import { jsonFromResult } from "../../component/json-value.ts";
import type { GuestFunction } from "../../component/linker.ts";
import { createHost } from "../../host/create-host.ts";
import { getManyShapeOf } from "../../host/get-many-shape.ts";
import { guestEntryOf } from "../../host/hosted-interfaces.ts";
import { serveHttp } from "../../host/http-outparam.ts";
import { runCommand } from "../../host/run-command.ts";
import { deliverMessage } from "../../host/wasmcloud-messaging.ts";
import type { IncomingExchange } from "../../host/guest-line.ts";
import type { CallOrder, CallOutcome } from "../protocol.ts";
import type { LiveGuest, LiveGuestDeps } from "./live-guest.ts";
import { suspendedInterfaces } from "./suspended-interfaces.ts";

/** What one call may pass to the host, in bytes, more than any host function takes: a list may name the same bytes a thousand times. */
export const LIFT_MAX_BYTES: number = 16 * 1024 * 1024;

/** What is known of a component before it is instantiated. */
export type ComponentProgram = { readonly plan: ComponentPlan; readonly modules: readonly WebAssembly.Module[] };

/** Instantiates. Throws what a start function trapped on. */
export function openComponentGuest(
  { plan, modules }: ComponentProgram,
  { line, order, suspend }: LiveGuestDeps,
): LiveGuest {
  const { openHandlesMax } = order;
  const host = createHost(line, { openHandlesMax, draft2GetMany: getManyShapeOf(plan) });
  const interfaces = suspendedInterfaces(plan, host.interfaces, suspend);
  const instance = instantiateComponent({
    plan,
    modules,
    interfaces,
    limits: { openHandlesMax, liftMaxBytes: LIFT_MAX_BYTES },
  });
  const entry = guestEntryOf(plan.exports.map(({ name }) => name));
  return {
    call: (call, exchange) => runCall({ plan, instance, entry: entry?.interface ?? "" }, call, exchange),
    dispose() {
      instance.dispose();
      host.close();
    },
  };
}

type Callee = {
  readonly plan: ComponentPlan;
  readonly instance: ComponentInstance;
  /** The exported interface by which it is called, unless it is called by its functions. */
  readonly entry: string;
};

async function runCall(
  { plan, instance, entry }: Callee,
  call: CallOrder,
  exchange: IncomingExchange | undefined,
): Promise<CallOutcome> {
  const exported = (name: string): GuestFunction => {
    const found = instance.functions.get(name);
    if (found === undefined) throw new TypeError(`the component exports no function "${name}"`);
    return found;
  };
  switch (call.kind) {
    case "request":
      if (exchange === undefined) throw new Error("a request came without its exchange");
      await serveHttp(exchange, exported(`${entry}#handle`).call);
      return { kind: "handled" };
    case "deliver": {
      const answer = await deliverMessage(call.message, exported(`${entry}#handle-message`).call);
      return { kind: "done", failure: answer.tag === "err" ? answer.val : undefined };
    }
    case "run": {
      const exitCode = await runCommand(exported(`${entry}#run`).call);
      return { kind: "exited", exitCode };
    }
    case "invoke": {
      const { call: invoke, type } = exported(call.name);
      return { kind: "returned", values: jsonFromResult({ plan, type }, await invoke(...call.args)) };
    }
  }
}
