/** A worker thread of the pool, seen from the agent's thread: what it was sent, and what it says. */
import { addMoved } from "./owned-bytes.ts";
import type { GuestCopy, Tenant } from "./guest-copy.ts";
import { mappingsOf } from "./mapping-budget.ts";
import type { LoadedProgram } from "./loaded-program.ts";
import type { CallOrder, CopyOrder, FromThread, ToThread } from "./protocol.ts";
import { TICKETS_MAX, type ThreadBoard } from "./thread-board.ts";

/** See the top of the file. */
export interface PoolThread {
  readonly copies: ReadonlyMap<number, GuestCopy>;
  readonly board: ThreadBoard;
  /** Calls and openings that were sent and have not come to an end. */
  readonly inFlight: number;
  /** Whose thread it is alone; `undefined` for one that is shared. */
  owner: Tenant | undefined;
  /** How its owner came to it. */
  readonly isDedicated: boolean;
  /** It takes no new copies and goes when nothing is in flight. */
  isRetiring: boolean;
  readonly hasRoom: boolean;
  open(tenant: Tenant, order: Omit<CopyOrder, "copy" | "ticket" | "program">): GuestCopy;
  /** Sends a call; returns its ticket. */
  call(copy: GuestCopy, order: CallOrder, isLast: boolean): number;
  post(message: ToThread): void;
  /** Posts all that waits now, and has it seen before a guest does anything more. */
  postUrgently(message: ToThread): void;
  /** Forgets a copy that is no more. */
  remove(copy: GuestCopy): void;
  /** A call or an opening has come to its end. */
  settled(): void;
  /** Processor time that the thread has used, in milliseconds. */
  cpuMs(): Promise<number>;
  /** Ends it. May be called twice. */
  terminate(): Promise<void>;
}

/** What carries a thread: a worker, or whatever stands for one. */
export interface ThreadWorker {
  onMessage(hear: (batch: FromThread[]) => void): void;
  /** It ended by itself; told at least once. */
  onDeath(learn: (cause: unknown) => void): void;
  postMessage(batch: ToThread[], moved: ArrayBuffer[]): void;
  /** Of the thread, in microseconds, whatever runs on it. */
  cpuUsage(): Promise<{ readonly user: number; readonly system: number }>;
  terminate(): Promise<void>;
}

/** What a thread is made with. */
export type PoolThreadOptions = {
  /** It serves `board`. */
  readonly worker: ThreadWorker;
  readonly board: ThreadBoard;
  readonly owner: Tenant | undefined;
  readonly isDedicated: boolean;
  /** Numbers for copies, never the same twice in a process. */
  readonly nextCopy: () => number;
  /** Numbers for programs, the same for the same one. */
  readonly programNumber: (program: LoadedProgram) => number;
  readonly onMessage: (copy: GuestCopy, message: FromThread) => void;
  /** The thread is no more, and nobody has ended it. */
  readonly onDeath: (cause: unknown) => void;
};

/** Programs that a thread has before those that no copy uses are forgotten. */
const PROGRAMS_KEPT = 64;

const TICKET_NUMBER_MAX = 2 ** 31 - 1;

/** Takes a worker into the pool. */
export function createPoolThread(options: PoolThreadOptions): PoolThread {
  const { worker, board, nextCopy, programNumber, onMessage, onDeath } = options;
  const copies = new Map<number, GuestCopy>();
  /** Copies that use each program that the thread has; those that none uses come first. */
  const programs = new Map<LoadedProgram, number>();
  let waiting: ToThread[] = [];
  let lastTicket = 0;
  let inFlight = 0;
  let isOver = false;
  let terminated: Promise<void> | undefined;

  function flush(): void {
    if (waiting.length === 0 || isOver) return;
    const moved: ArrayBuffer[] = [];
    for (const message of waiting) {
      if ((message.kind === "body" || message.kind === "httpBody") && message.given.kind === "bytes")
        addMoved(moved, message.given.bytes);
    }
    const batch = waiting;
    waiting = [];
    worker.postMessage(batch, moved);
  }

  function post(message: ToThread): void {
    if (isOver) return;
    waiting.push(message);
    if (waiting.length === 1) setImmediate(flush);
  }

  /** A guest whose copies come and go must not have its program sent each time. */
  function forgetUnused(): void {
    if (programs.size <= PROGRAMS_KEPT) return;
    for (const [program, uses] of programs) {
      if (uses > 0) continue;
      programs.delete(program);
      return post({ kind: "forget", program: programNumber(program) });
    }
  }

  /** Never the same twice at a time, and within what the board can tell apart. */
  function nextTicket(): number {
    lastTicket = (lastTicket % TICKET_NUMBER_MAX) + 1;
    inFlight += 1;
    return lastTicket;
  }

  function die(cause: unknown): void {
    if (isOver) return;
    isOver = true;
    onDeath(cause);
  }

  worker.onMessage((batch) => {
    for (const message of batch) {
      const copy = copies.get(message.copy);
      if (copy !== undefined && !isOver) onMessage(copy, message);
    }
  });
  worker.onDeath(die);

  const thread: PoolThread = {
    copies,
    board,
    get inFlight() {
      return inFlight;
    },
    owner: options.owner,
    isDedicated: options.isDedicated,
    isRetiring: false,
    get hasRoom() {
      return inFlight < TICKETS_MAX && !isOver;
    },
    open(tenant, order) {
      const { program } = tenant;
      const uses = programs.get(program);
      if (uses === undefined) {
        const mappings = mappingsOf(program.memoryCount);
        post({ kind: "program", number: programNumber(program), program: program.threadProgram, mappings });
      }
      programs.delete(program);
      programs.set(program, (uses ?? 0) + 1);
      const ticket = nextTicket();
      const number = nextCopy();
      const copy: GuestCopy = {
        number,
        tenant,
        thread,
        openTicket: ticket,
        isOpen: false,
        isUsed: false,
        calls: [],
        isDoomed: false,
      };
      copies.set(number, copy);
      post({ kind: "open", ...order, copy: number, ticket, program: programNumber(program) });
      return copy;
    },
    call(copy, order, isLast) {
      const ticket = nextTicket();
      post({ kind: "call", copy: copy.number, ticket, order, isLast });
      return ticket;
    },
    post,
    postUrgently(message) {
      post(message);
      flush();
      board.callUrgent();
    },
    remove(copy) {
      if (!copies.delete(copy.number)) return;
      if (!copy.isOpen) inFlight -= 1;
      inFlight -= copy.calls.length;
      const { program } = copy.tenant;
      programs.set(program, (programs.get(program) ?? 1) - 1);
      forgetUnused();
    },
    settled() {
      inFlight -= 1;
    },
    async cpuMs() {
      const { user, system } = await worker.cpuUsage();
      return (user + system) / 1000;
    },
    terminate() {
      isOver = true;
      terminated ??= worker.terminate();
      return terminated;
    },
  };
  return thread;
}
