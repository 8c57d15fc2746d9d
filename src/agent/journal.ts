/**
 * The contract of an agent's journal: what it was told to run, how far that came, and what it was told to stop. It is the
 * only thing that outlives the agent's process. Calls are synchronous, so that nothing happens between a decision and its record.
 *
 * Every implementation passes `test/agent/journal-contract.ts`.
 */
import type { InstanceRecord } from "./instance-record.ts";

/**
 * How safe a record must be when `put` returns: an order (start, stop, grant) survives a power cut, an observation
 * (running, ended) survives the death of the process, and is made durable by the next order.
 */
export type Durability = "order" | "observation";

/** What opening a journal had to put up with. */
export type JournalProblem =
  /** The file could not be read; it was moved to `movedTo`, and the journal begins empty. */
  | { readonly kind: "moved-aside"; readonly movedTo: string; readonly message: string }
  /** One record cannot be read; it is kept in the file and not resumed. */
  | { readonly kind: "record-unreadable"; readonly id: string; readonly message: string };

/** See the top of the file. */
export interface Journal {
  /** What went wrong when it was opened, for the log. */
  readonly problems: readonly JournalProblem[];
  /** All records, by id. */
  load(): readonly InstanceRecord[];
  /** Keeps a record in place of the one with the same id. Throws `INTERNAL` if it cannot be written; then nothing has changed. */
  put(record: InstanceRecord, durability: Durability): void;
  /** Forgets a record; a missing one is no error. */
  remove(id: string): void;
  /** The counter of the last epoch, 0 before the first. */
  epochCounter(): number;
  /** Remembers the counter; durable when it returns. */
  setEpochCounter(counter: number): void;
  /** Providers that were ordered to stop and not to start since. */
  stoppedProviders(): readonly string[];
  /** Remembers whether a provider is stopped; durable when it returns. */
  setProviderStopped(id: string, stopped: boolean): void;
  /** May be called twice. Later writes throw `SHUTTING_DOWN`. */
  close(): void;
}
