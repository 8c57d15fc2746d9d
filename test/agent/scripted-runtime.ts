/**
 * A runtime in this process whose guests end on command. It keeps the contract of `Runtime`; what a module does is the test's to
 * say, by the text of the module: `http`, `command`, `functions`, `messaging`, or `start-fails:REASON`, and `imports:NAME` each.
 */
import { fault, Reason } from "../../src/fault.ts";
import type { LocalRights } from "../../src/providers/local-rights.ts";
import type { Message } from "../../src/providers/messaging/messaging.ts";
import type { Ending, Guest, GuestKind, GuestStart, Runtime } from "../../src/runtime/runtime.ts";

export type ScriptedGuest = Guest & {
  readonly start: GuestStart;
  /** Ends the guest as the test wants. */
  end(ending: Ending): void;
  /** Grace of the drain that waits, if one does. */
  readonly drainingMs: number | undefined;
  /** What it may do in its own thread now. */
  readonly rights: LocalRights;
  /** Messages that it took, in order. */
  readonly messages: readonly Message[];
  /** While set, `deliver` fails with it. */
  deliveryFailure: Error | undefined;
  /** While set, `setRights` waits for it. */
  rightsGate: Promise<void> | undefined;
};

export type ScriptedRuntime = Runtime & {
  /** All guests that were ever started, in order. */
  readonly guests: readonly ScriptedGuest[];
  /** Those that have not ended. */
  readonly live: readonly ScriptedGuest[];
  /** While set, `start` waits for it. */
  gate: Promise<void> | undefined;
  /** While set, the next starts fail with it. */
  failure: Error | undefined;
  /** Whether `drain` ends a guest at once; otherwise the test does. */
  drainsAtOnce: boolean;
};

const reasons: ReadonlyMap<string, Reason> = new Map(Object.entries(Reason));

export function createScriptedRuntime(): ScriptedRuntime {
  const guests: ScriptedGuest[] = [];
  const live = new Set<ScriptedGuest>();
  let isClosed = false;
  const runtime: ScriptedRuntime = {
    kinds: ["http", "command", "functions", "messaging"],
    guests,
    get live() {
      return [...live];
    },
    gate: undefined,
    failure: undefined,
    drainsAtOnce: true,
    async inspect(module) {
      return {
        kind: kindOf(textOf(module)),
        format: "component",
        memory: { initialBytes: 0, maxBytes: undefined },
        functions: [],
        imports: [...textOf(module).matchAll(/imports:(\S+)/g)].map(([, name]) => name ?? ""),
        exports: [],
      };
    },
    async start(start) {
      await runtime.gate;
      const text = textOf(await start.readModule());
      if (isClosed) throw fault(Reason.SHUTTING_DOWN, "runtime is closed");
      if (runtime.failure !== undefined) throw runtime.failure;
      const reason = reasons.get(/start-fails:(\w+)/.exec(text)?.[1] ?? "");
      if (reason !== undefined) throw fault(reason, `Cannot start guest: ${text}`);
      const guest = createGuest(start, kindOf(text), runtime, (ended) => live.delete(ended));
      guests.push(guest);
      live.add(guest);
      return guest;
    },
    async close() {
      isClosed = true;
      for (const guest of live) guest.end({ kind: "stopped" });
    },
  };
  return runtime;
}

function createGuest(
  start: GuestStart,
  kind: GuestKind,
  runtime: ScriptedRuntime,
  onEnd: (guest: ScriptedGuest) => void,
): ScriptedGuest {
  const ended = Promise.withResolvers<Ending>();
  const messages: Message[] = [];
  let drainingMs: number | undefined;
  let rights = start.rights;
  const guest: ScriptedGuest = {
    kind,
    start,
    ended: ended.promise,
    get drainingMs() {
      return drainingMs;
    },
    get rights() {
      return rights;
    },
    messages,
    deliveryFailure: undefined,
    rightsGate: undefined,
    end(ending) {
      onEnd(guest);
      ended.resolve(ending);
    },
    fetch: async (request) => ({
      status: 200,
      headers: [["x-guest", start.id]],
      body: (async function* () {
        yield new TextEncoder().encode(`${request.method} ${request.pathWithQuery}\n`);
        if (request.body !== undefined) yield* request.body;
      })(),
      trailers: Promise.resolve(undefined),
    }),
    invoke: async (name, args) => [name, ...args],
    async deliver(message) {
      if (guest.deliveryFailure !== undefined) throw guest.deliveryFailure;
      messages.push(message);
    },
    async setRights(next) {
      await guest.rightsGate;
      rights = next;
    },
    async drain(graceMs) {
      drainingMs = graceMs;
      if (runtime.drainsAtOnce) guest.end({ kind: "stopped" });
      await ended.promise;
    },
    async kill() {
      guest.end({ kind: "stopped" });
      await ended.promise;
    },
  };
  return guest;
}

function kindOf(text: string): GuestKind {
  if (text.startsWith("command")) return "command";
  if (text.startsWith("functions")) return "functions";
  if (text.startsWith("messaging")) return "messaging";
  if (text.startsWith("refused:"))
    throw fault(reasons.get(text.slice("refused:".length)) ?? Reason.MODULE_MALFORMED, `Cannot read module: ${text}`);
  return "http";
}

function textOf(module: Uint8Array): string {
  return new TextDecoder().decode(module);
}
