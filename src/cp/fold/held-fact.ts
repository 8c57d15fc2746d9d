/** A fact as the fold holds it: where it stands and what it is about, and all the rest as the bytes in which it came. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FactSchema, WitnessSchema, type Fact, type Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import { ProviderSchema, type Provider } from "../../gen/wasmatrix/v1/node_pb.ts";
import { heldInstanceFromBytes, type HeldInstance } from "./held-instance.ts";
import { openEnum, timeMsIn, WireScan } from "./wire-scan.ts";

/** See the top of the file. Immutable. */
export interface HeldFact extends Readonly<Pick<Fact, "nodeId" | "epoch" | "sequence" | "kind">> {
  /** When, by the agent's clock, in milliseconds since the Unix epoch; 0 if it did not say. */
  readonly timeMs: number;
  readonly instance: HeldInstance | undefined;
  readonly provider: Provider | undefined;
  readonly witness: Witness | undefined;
  /** Length in bytes. */
  readonly sizeBytes: number;
  /** Taken apart at each call. */
  whole(): Fact;
  /** Length of the memory that it lies in, and keeps. */
  readonly memoryBytes: number;
  /** Copies its bytes to `offset` of other ones, and answers the fact that lies there. */
  copyTo(bytes: Uint8Array, offset: number): HeldFact;
}

/** Reads a fact; the bytes must not change any more. Throws `RangeError` for what is no fact. */
export function heldFactFromBytes(bytes: Uint8Array): HeldFact {
  return new BytesFact(bytes);
}

/** The same facts in one piece of memory of their own: those around them, and what else came along, need not be kept for them. */
export function packedTogether(facts: readonly HeldFact[]): readonly HeldFact[] {
  const sizeBytes = facts.reduce((sum, fact) => sum + fact.sizeBytes, 0);
  if (facts.every((fact) => fact.memoryBytes <= sizeBytes)) return facts;
  const bytes = new Uint8Array(sizeBytes);
  let end = 0;
  return facts.map((fact) => {
    const from = end;
    end += fact.sizeBytes;
    return fact.copyTo(bytes, from);
  });
}

/** Holds a fact that was taken apart already. */
export function heldFactFromMessage(fact: Fact): HeldFact {
  return new BytesFact(toBinary(FactSchema, fact));
}

/** The numbers of fields in the contract. */
const FIELD = { nodeId: 1, epoch: 2, sequence: 3, time: 4, kind: 5, instance: 6, provider: 7, witness: 10 } as const;

class BytesFact implements HeldFact {
  readonly nodeId: string;
  readonly epoch: string;
  readonly sequence: bigint;
  readonly kind: Fact["kind"];
  readonly timeMs: number;
  readonly instance: HeldInstance | undefined;
  readonly provider: Provider | undefined;
  readonly witness: Witness | undefined;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    let [nodeId, epoch, sequence, timeMs, kind] = ["", "", 0, 0, 0];
    let [instanceFrom, instanceTo] = [0, 0];
    const scan = new WireScan(bytes);
    for (let field = scan.next(); field !== 0; field = scan.next()) {
      if (field === FIELD.nodeId) nodeId = scan.text();
      else if (field === FIELD.epoch) epoch = scan.text();
      else if (field === FIELD.sequence) sequence = scan.number;
      else if (field === FIELD.kind) kind = scan.number;
      else if (field === FIELD.time) timeMs = timeMsIn(bytes, scan.from, scan.to);
      else if (field === FIELD.instance) [instanceFrom, instanceTo] = [scan.from, scan.to];
      else if (field === FIELD.provider) this.provider = fromBinary(ProviderSchema, bytes.subarray(scan.from, scan.to));
      else if (field === FIELD.witness) this.witness = fromBinary(WitnessSchema, bytes.subarray(scan.from, scan.to));
    }
    if (instanceTo > 0) this.instance = heldInstanceFromBytes(nodeId, bytes, instanceFrom, instanceTo);
    this.nodeId = nodeId;
    this.epoch = epoch;
    this.sequence = BigInt(sequence);
    this.timeMs = timeMs;
    this.kind = openEnum(kind);
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  get memoryBytes(): number {
    return this.#bytes.buffer.byteLength;
  }

  whole(): Fact {
    try {
      return fromBinary(FactSchema, this.#bytes);
    } catch {
      // Lost: the parts of it that its agent has garbled; see `held-instance.ts`.
      const { nodeId, epoch, sequence, kind, provider, witness } = this;
      const about = { ...(provider ? { provider } : {}), ...(witness ? { witness } : {}) };
      const instance = this.instance?.whole();
      return create(FactSchema, { nodeId, epoch, sequence, kind, ...about, ...(instance ? { instance } : {}) });
    }
  }

  copyTo(bytes: Uint8Array, offset: number): HeldFact {
    bytes.set(this.#bytes, offset);
    return new BytesFact(bytes.subarray(offset, offset + this.#bytes.length));
  }
}
