/** What a node does for the fleet beside running instances: witness copies, reservations, and its cordon. */
import type { Clock } from "../../clock.ts";
import { FactKind } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { FactDraft } from "../report-log.ts";
import type { FleetJournal } from "./fleet-journal.ts";
import { createReservations, type Reservations } from "./reservations.ts";
import { createWitnesses, type Witnesses } from "./witnesses.ts";

/** What the duties need. */
export type FleetDutiesDeps = {
  readonly nodeId: string;
  readonly journal: FleetJournal;
  readonly clock: Clock;
  /** Makes a fact. */
  readonly append: (draft: Omit<FactDraft, "timeMs">) => void;
};

/** See the top of the file. */
export interface FleetDuties {
  readonly witnesses: Witnesses;
  readonly reservations: Reservations;
  isCordoned(): boolean;
  /** Durable when it returns. Idempotent. */
  setCordoned(cordoned: boolean, requestId: string): void;
  /** May be called twice. */
  close(): void;
}

/** Reads what the journal holds and goes on from there. */
export function createFleetDuties({ nodeId, journal, clock, append }: FleetDutiesDeps): FleetDuties {
  let isCordoned = journal.isCordoned();
  return {
    witnesses: createWitnesses({
      nodeId,
      journal,
      onFact: (kind, witness, message, requestId) => append({ kind, witness, message, requestId }),
    }),
    reservations: createReservations({ journal, clock }),
    isCordoned: () => isCordoned,
    setCordoned(cordoned, requestId) {
      if (cordoned === isCordoned) return;
      journal.setCordoned(cordoned);
      isCordoned = cordoned;
      const kind = cordoned ? FactKind.NODE_CORDONED : FactKind.NODE_UNCORDONED;
      append({ kind, message: cordoned ? "Cordoned: takes no new instances" : "Takes new instances again", requestId });
    },
    close: () => journal.close(),
  };
}
