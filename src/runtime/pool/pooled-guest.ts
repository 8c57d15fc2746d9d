/** A guest as the agent sees it, from its first copy to the one ending that it comes to. */
import type { Clock } from "../../clock.ts";
import { fault, Reason } from "../../fault.ts";
import type { LocalRights } from "../../providers/local-rights.ts";
import { faultFromEnding, faultFromStart, notRunning } from "../guest-ending.ts";
import type { PrepareInvoke } from "../invoke-arguments.ts";
import type { CallerSignal, Ending, Guest, GuestKind, GuestStart } from "../runtime.ts";
import { CallDesk, callTime } from "./call-desk.ts";
import type { Deadlines } from "./deadlines.ts";
import { FetchCall } from "./fetch-call.ts";
import { createGuestAsks, type GuestAsks } from "./guest-asks.ts";
import type { GuestCall } from "./guest-call.ts";
import type { GuestCopy, Loss, Tenant, TenantRecord } from "./guest-copy.ts";
import type { LoadedProgram } from "./loaded-program.ts";
import { createDeliverCall, createInvokeCall, createRunCall } from "./plain-call.ts";
import type { Pool } from "./pool.ts";
import type { CopyOrder, FromThread } from "./protocol.ts";

/** What a guest is hosted with, beside its start order. */
export type PooledGuestDeps = {
  readonly kind: GuestKind;
  readonly program: LoadedProgram;
  readonly prepareInvoke: PrepareInvoke;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
};

/** A guest that starts, and the promise that it can take calls; that rejects, when nothing of it runs any more, if it ends before. */
export type StartingGuest = { readonly guest: Guest; readonly ready: Promise<void> };

/** Opens its first copy. */
export function startPooledGuest(start: GuestStart, deps: PooledGuestDeps): StartingGuest {
  const guest = new PooledGuest(start, deps);
  return { guest, ready: guest.begin() };
}

/** A class, because a node holds thousands and closures for all methods would be most of what they take. */
class PooledGuest implements Guest, Tenant {
  readonly kind: GuestKind;
  readonly program: LoadedProgram;
  readonly record: TenantRecord = { isHog: false, calmCalls: 0, suspicions: 0 };
  readonly #start: GuestStart;
  readonly #deps: PooledGuestDeps;
  readonly #desk: CallDesk;
  readonly #asks: GuestAsks;
  readonly #ended: PromiseWithResolvers<Ending> = Promise.withResolvers();
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers();
  #rights: LocalRights;
  #rightsVersion = 0;
  #ending: Ending | undefined;
  #isReady = false;
  #cancelStart: () => void = () => {};
  /** Resolves when a guest that drains has no call left, or has ended. */
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(start: GuestStart, deps: PooledGuestDeps) {
    const { pool, deadlines } = deps;
    this.#start = start;
    this.#deps = deps;
    this.#rights = start.rights;
    this.kind = deps.kind;
    this.program = deps.program;
    this.#asks = createGuestAsks(start, deps.clock, (ending) => this.end(ending));
    this.#desk = new CallDesk({
      tenant: this,
      start,
      pool,
      deadlines,
      onExceed: (limit) => this.#exceed(limit),
      onIdle: () => this.#idle?.resolve(),
    });
  }

  get id(): string {
    return this.#start.id;
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  get isDedicated(): boolean {
    return this.kind === "command" || this.#start.isolation === "dedicated";
  }

  get cpuTimeMaxMs(): number | undefined {
    return this.#start.limits.cpuTimeMaxMs;
  }

  async begin(): Promise<void> {
    const { startTimeoutMs } = this.#start.limits;
    this.#cancelStart = this.#deps.deadlines.after(startTimeoutMs, () => this.#exceed("startTimeoutMs"));
    this.#openFirst();
    try {
      await this.#ready.promise;
    } catch (error) {
      // A guest that ends before it is ready is gone when its starter learns of it.
      await this.#ended.promise;
      throw error;
    }
  }

  copyOrder(): Omit<CopyOrder, "copy" | "ticket" | "program"> {
    const { id, args, stdin, config, limits } = this.#start;
    const { openHandlesMax, cpuTimeMaxMs } = limits;
    const rights = { rights: this.#rights, rightsVersion: this.#rightsVersion };
    return { guestKind: this.kind, id, args, stdin, config, openHandlesMax, cpuTimeMaxMs, ...rights };
  }

  accept(copy: GuestCopy, message: FromThread): void {
    if (this.#ending !== undefined) return;
    switch (message.kind) {
      case "opened":
        this.#deps.pool.idle(copy);
        return this.#opened();
      case "ended":
        return this.end(message.ending);
      case "refused": {
        const why = `Cannot start instance "${this.id}": ${message.message}`;
        const refusal = fault(Reason.MODULE_IMPORT_UNKNOWN, why, { subject: message.importName });
        return this.end({ kind: "host-failed", message: message.message }, refusal);
      }
      case "finished":
        return this.#desk.finished(copy, message);
      case "response":
      case "readBody":
      case "awaitReader":
        return this.#desk.accept(copy, message);
      case "gone":
        return;
      default:
        return this.#asks.accept(copy, message);
    }
  }

  lost(copy: GuestCopy, loss: Loss, begun: readonly number[]): void {
    this.#asks.forget(copy);
    if (this.#ending !== undefined) return;
    if (loss.kind === "guilty") return this.end(loss.ending);
    this.#desk.lost(copy, begun);
    if (!this.#isReady) this.#openFirst();
    else if (this.kind === "command") this.end({ kind: "host-failed", message: "its thread was lost" });
    else this.#desk.dispatch();
  }

  /** The first reason counts; everything that waits for the guest learns of it now, `ended` when nothing of it runs any more. */
  end(first: Ending, why?: unknown): void {
    if (this.#ending !== undefined) return;
    this.#ending = first;
    this.#cancelStart();
    this.#ready.reject(why ?? faultFromStart(this.id, first, this.#start.limits));
    // Lost: nothing, whoever waits for the start has the same rejection.
    this.#ready.promise.catch(() => undefined);
    this.#desk.close(faultFromEnding(this.id, first), notRunning(this.id, "it ended before the call began"));
    this.#asks.close();
    void this.#leave(first);
  }

  async fetch(...[request, signal]: Parameters<Guest["fetch"]>): ReturnType<Guest["fetch"]> {
    this.#assertKind("http", "an HTTP request");
    const call = new FetchCall(request, this.#start);
    this.#call(call, signal);
    return call.response;
  }

  async invoke(...[name, args, signal]: Parameters<Guest["invoke"]>): ReturnType<Guest["invoke"]> {
    this.#assertKind("functions", "calling a function");
    const prepared = this.#deps.prepareInvoke(this.id, name, args);
    const { call, answer } = createInvokeCall(prepared.name, prepared.args);
    this.#call(call, signal);
    return answer;
  }

  async deliver(...[message, signal]: Parameters<Guest["deliver"]>): Promise<void> {
    this.#assertKind("messaging", "a message");
    const { call, answer } = createDeliverCall(this.id, message);
    this.#call(call, signal);
    return answer;
  }

  async setRights(rights: LocalRights): Promise<void> {
    this.#rights = rights;
    this.#rightsVersion += 1;
    for (const { thread, number } of this.#desk.copies) {
      thread.postUrgently({ kind: "rights", copies: [number], rights, version: this.#rightsVersion });
    }
  }

  async drain(graceMs: number): Promise<void> {
    const idle = (this.#idle ??= Promise.withResolvers());
    if (this.#ending === undefined && (this.kind === "command" || this.#desk.isBusy)) {
      const cancel = this.#deps.deadlines.after(graceMs, idle.resolve);
      await idle.promise;
      cancel();
    }
    await this.kill();
  }

  async kill(): Promise<void> {
    this.end({ kind: "stopped" });
    await this.#ended.promise;
  }

  #openFirst(): void {
    try {
      this.#desk.openCopy();
    } catch (error) {
      this.end({ kind: "host-failed", message: "there is no room for it" }, error);
    }
  }

  #opened(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#cancelStart();
    this.#ready.resolve();
    if (this.kind === "command") this.#run();
    this.#desk.open();
  }

  /** The whole of a command is one call. */
  #run(): void {
    const { call, answer } = createRunCall();
    this.#desk.enqueue(call, { limit: "commandTimeoutMs", ms: this.#start.limits.commandTimeoutMs }, undefined);
    answer.then(
      (exitCode) => this.end({ kind: "exited", exitCode }),
      // Lost: nothing, the run is abandoned only when the guest has ended already.
      () => undefined,
    );
  }

  #call(call: GuestCall, signal: CallerSignal | undefined): void {
    if (this.#ending !== undefined) throw notRunning(this.id, "it has ended");
    if (this.#idle !== undefined) throw notRunning(this.id, "it is stopping");
    this.#desk.enqueue(call, callTime(this.#start.limits), signal);
  }

  #exceed(limit: "callTimeoutMs" | "commandTimeoutMs" | "startTimeoutMs"): void {
    const ms = this.#start.limits[limit] ?? 0;
    this.end({ kind: "limit", limit, message: `ran longer than ${limit} allows (${ms} ms)` });
  }

  async #leave(first: Ending): Promise<void> {
    const { pool } = this.#deps;
    await Promise.all([...this.#desk.copies].map((copy) => pool.dispose(copy)));
    await pool.release(this);
    this.#ended.resolve(first);
    this.#idle?.resolve();
  }

  #assertKind(kind: GuestKind, wanted: string): void {
    if (this.kind === kind) return;
    const state = `its module is of kind ${this.kind}, ${wanted} needs kind ${kind}`;
    throw fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot call instance "${this.id}": ${state}`, { subject: this.id });
  }
}
