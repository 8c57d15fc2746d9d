/**
 * Memory that a pool thread and the agent's thread share: who is on the thread's processor, which of the calls that it
 * was sent have begun, and a counter that says that something urgent was posted. The agent's thread
 * reads it while guest code runs, when no message would be heard.
 */

/** Tickets whose begin is remembered; a thread is never sent more calls than that at a time. */
export const TICKETS_MAX: number = 4096;

const CELL = { copy: 0, stretch: 1, urgent: 2, cpuUsed: 3, cpuThen: 4, tickets: 8 } as const;

/** Both sides of the board. */
export interface ThreadBoard {
  readonly shared: SharedArrayBuffer;
  /** Thread: `copy` is on the processor from now on. */
  enter(copy: number): void;
  /** Thread: no guest is. */
  leave(): void;
  /** Thread: what `ticket` stands for begins now, unless that is forbidden; says whether it does. */
  begin(ticket: number): boolean;
  /** Thread: the call on the processor had used `usedMs` of processor time before this stretch, which began when the thread had used `threadMs`. */
  noteCpu(usedMs: number, threadMs: number): void;
  /** Agent: which copy is on the processor (0: none), and the number of its stretch, which differs from any before. */
  running(): { readonly copy: number; readonly stretch: number };
  /** Agent: what `noteCpu` said last. */
  cpu(): { readonly usedMs: number; readonly threadMs: number };
  /** Agent: whether what `ticket` stands for has begun. */
  hasBegun(ticket: number): boolean;
  /** Agent: what `ticket` stands for must not begin any more; says `false` if it has begun. */
  forbid(ticket: number): boolean;
  /** Agent: what was posted before must be seen before a guest does anything more. */
  callUrgent(): void;
  /** Thread: grows with each `callUrgent`. */
  urgentVersion(): number;
}

/** Makes a board, or opens the other side of one. */
export function openThreadBoard(
  shared: SharedArrayBuffer = new SharedArrayBuffer((CELL.tickets + TICKETS_MAX) * 4),
): ThreadBoard {
  const cells = new Int32Array(shared);
  let stretch = 0;
  return {
    shared,
    enter(copy) {
      stretch = (stretch + 1) | 0;
      Atomics.store(cells, CELL.stretch, stretch);
      Atomics.store(cells, CELL.copy, copy);
    },
    leave: () => void Atomics.store(cells, CELL.copy, 0),
    begin(ticket) {
      const cell = cellOf(ticket);
      if (Atomics.exchange(cells, cell, ticket) !== -ticket) return true;
      Atomics.store(cells, cell, -ticket);
      return false;
    },
    noteCpu(usedMs, threadMs) {
      Atomics.store(cells, CELL.cpuUsed, usedMs);
      Atomics.store(cells, CELL.cpuThen, threadMs);
    },
    running: () => ({ copy: Atomics.load(cells, CELL.copy), stretch: Atomics.load(cells, CELL.stretch) }),
    cpu: () => ({ usedMs: Atomics.load(cells, CELL.cpuUsed), threadMs: Atomics.load(cells, CELL.cpuThen) }),
    hasBegun: (ticket) => Atomics.load(cells, cellOf(ticket)) === ticket,
    forbid(ticket) {
      const cell = cellOf(ticket);
      // Whoever comes second finds what the first has left.
      if (Atomics.exchange(cells, cell, -ticket) !== ticket) return true;
      Atomics.store(cells, cell, ticket);
      return false;
    },
    callUrgent: () => void Atomics.add(cells, CELL.urgent, 1),
    urgentVersion: () => Atomics.load(cells, CELL.urgent),
  };
}

function cellOf(ticket: number): number {
  return CELL.tickets + (ticket % TICKETS_MAX);
}
