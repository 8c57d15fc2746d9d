/** Runs a component that answers HTTP requests. */
import { compileFunction } from "node:vm";
import type { GuestBoot, GuestProgram } from "../worker-protocol.ts";
import type { AgentChannel, Received } from "./agent-channel.ts";
import { endingFromError } from "./guest-exit.ts";
import { createHttpExchange } from "./http-exchange.ts";
import { countingTextDecoder, createLiftBudget } from "./lift-budget.ts";
import { createMessagePump } from "./message-pump.ts";
import { createWasiHost, type WasiHost } from "./wasi-host.ts";
import { IncomingRequest, ResponseOutparam } from "./wasi-http.ts";

type HttpProgram = Extract<GuestProgram, { kind: "http" }>;
type HttpBoot = Pick<GuestBoot, "args" | "env" | "stdin"> & { readonly program: HttpProgram };
type Handler = (request: IncomingRequest, response: ResponseOutparam) => void;

/** What jco's `instantiate` takes, in its synchronous form. */
type Instantiate = (
  getCoreModule: (file: string) => WebAssembly.Module,
  imports: WasiHost,
  instantiateCore: (module: WebAssembly.Module, imports?: WebAssembly.Imports) => WebAssembly.Instance,
) => unknown;

/** Instantiates the component, says `ready`, and serves one request after the other until it has ended. */
export function runHttpGuest(channel: AgentChannel, boot: HttpBoot): void {
  const pump = createMessagePump(channel);
  let serve: (message: Received) => void = () => {};
  channel.onIdle((message) => serve(message));
  try {
    const handle = instantiateHandler(boot.program, createWasiHost(channel, pump, boot));
    channel.post({ kind: "ready" });
    serve = (message) => {
      if (message.kind !== "request") return;
      const exchange = createHttpExchange(message, channel, pump);
      try {
        handle(new IncomingRequest(exchange, pump), new ResponseOutparam(exchange));
        exchange.end();
      } catch (error) {
        channel.post({ kind: "ended", ending: endingFromError(error) });
      }
    };
  } catch (error) {
    channel.post({ kind: "ended", ending: endingFromError(error) });
  }
}

function instantiateHandler({ glue, modules, handlerExport }: HttpProgram, host: WasiHost): Handler {
  const lifting = createLiftBudget();
  const instantiate: Instantiate = compileFunction(glue, ["TextDecoder", "lifting"])(
    countingTextDecoder(lifting),
    lifting,
  );
  const exports = instantiate(
    (file) => {
      const module = modules.get(file);
      if (module === undefined) throw new Error(`there is no core module ${file}`);
      return module;
    },
    host,
    instantiateOnce(),
  );
  const handler = property(property(exports, handlerExport), "handle");
  if (typeof handler !== "function") throw new Error(`the component has no function ${handlerExport}#handle`);
  return (request, response) => void handler(request, response);
}

/** The memories of a guest share one limit, counted once for each module: one that has a memory cannot be there twice. */
function instantiateOnce(): Parameters<Instantiate>[2] {
  const withMemory = new Set<WebAssembly.Module>();
  return (module, imports) => {
    if (withMemory.has(module))
      throw new Error("the component instantiates a core module with a memory more than once");
    const instance = new WebAssembly.Instance(module, imports);
    withMemory.add(module);
    return instance;
  };
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined;
}
