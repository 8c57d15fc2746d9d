/**
 * An instance as the fold holds it: what decisions look at, and all the rest as the bytes in which it came. A control plane may
 * hold a million of them, and taken apart each would need ten times the memory.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InstanceSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { openEnum, timeMsIn, WireScan } from "./wire-scan.ts";

/** See the top of the file. Immutable. */
export interface HeldInstance extends Readonly<
  Pick<Instance, "id" | "name" | "nodeId" | "generation" | "state" | "onNodeLoss" | "witnessNodeId">
> {
  /** All of it, taken apart at each call but for those asked for lately. Not to be changed. */
  whole(): Instance;
  /** When it was made, by its node's clock, in milliseconds since the Unix epoch; 0 if its node did not say. */
  readonly createdMs: number;
  /** Calls `each` for each of its labels, which are read anew. */
  forLabels(each: (key: string, value: string) => void): void;
  /** The same without the bytes around it, if they are many: it would keep them in memory. */
  alone(): HeldInstance;
}

/** Reads what lies from `from` to `to`, as said by `nodeId`; the bytes must not change any more. Throws `RangeError` for what is no instance. */
export function heldInstanceFromBytes(nodeId: string, bytes: Uint8Array, from: number, to: number): HeldInstance {
  return new BytesInstance(nodeId, bytes, from, to);
}

/** Holds an instance that was taken apart already. */
export function heldInstanceFromMessage(instance: Instance): HeldInstance {
  const bytes = toBinary(InstanceSchema, instance);
  return new BytesInstance(instance.nodeId, bytes, 0, bytes.length);
}

/** The numbers of fields in the contract. */
const FIELD = {
  id: 1,
  name: 2,
  labels: 3,
  generation: 4,
  state: 8,
  createTime: 14,
  onNodeLoss: 25,
  witnessNodeId: 26,
} as const;

/** So much around an instance is not worth a copy. */
const ATTACHED_MAX_BYTES = 2_048;

class BytesInstance implements HeldInstance {
  readonly id: string;
  readonly name: string;
  readonly nodeId: string;
  readonly generation: bigint;
  readonly state: Instance["state"];
  readonly onNodeLoss: Instance["onNodeLoss"];
  readonly witnessNodeId: string;
  readonly #bytes: Uint8Array;
  readonly #from: number;
  readonly #to: number;

  constructor(nodeId: string, bytes: Uint8Array, from: number, to: number) {
    let [id, name, witnessNodeId] = ["", "", ""];
    let [generation, state, onNodeLoss] = [0, 0, 0];
    const scan = new WireScan(bytes, from, to);
    for (let field = scan.next(); field !== 0; field = scan.next()) {
      switch (field) {
        case FIELD.id:
          id = scan.text();
          break;
        case FIELD.name:
          name = scan.text();
          break;
        case FIELD.generation:
          generation = scan.number;
          break;
        case FIELD.state:
          state = scan.number;
          break;
        case FIELD.onNodeLoss:
          onNodeLoss = scan.number;
          break;
        case FIELD.witnessNodeId:
          witnessNodeId = scan.text();
          break;
      }
    }
    this.id = id;
    this.name = name;
    this.nodeId = nodeId;
    this.generation = generation === 1 ? 1n : BigInt(generation);
    this.state = openEnum(state);
    this.onNodeLoss = openEnum(onNodeLoss);
    this.witnessNodeId = witnessNodeId;
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
  }

  get createdMs(): number {
    const scan = new WireScan(this.#bytes, this.#from, this.#to);
    for (let field = scan.next(); field !== 0; field = scan.next())
      if (field === FIELD.createTime) return timeMsIn(this.#bytes, scan.from, scan.to);
    return 0;
  }

  whole(): Instance {
    const known = apart.get(this);
    if (known) return known;
    const instance = this.#takeApart();
    const oldest = apart.keys().next().value;
    if (apart.size >= APART_MAX && oldest !== undefined) apart.delete(oldest);
    apart.set(this, instance);
    return instance;
  }

  forLabels(each: (key: string, value: string) => void): void {
    const scan = new WireScan(this.#bytes, this.#from, this.#to);
    for (let field = scan.next(); field !== 0; field = scan.next()) {
      if (field !== FIELD.labels) continue;
      const entry = new WireScan(this.#bytes, scan.from, scan.to);
      let [key, value] = ["", ""];
      for (let part = entry.next(); part !== 0; part = entry.next()) {
        if (part === 1) key = entry.text();
        else if (part === 2) value = entry.text();
      }
      each(key, value);
    }
  }

  alone(): HeldInstance {
    const sizeBytes = this.#to - this.#from;
    if (this.#bytes.buffer.byteLength <= sizeBytes + ATTACHED_MAX_BYTES) return this;
    return new BytesInstance(this.nodeId, this.#bytes.slice(this.#from, this.#to), 0, sizeBytes);
  }

  #takeApart(): Instance {
    try {
      return fromBinary(InstanceSchema, this.#bytes.subarray(this.#from, this.#to));
    } catch {
      // Lost: the parts of it that its agent has garbled. What was read when it came still holds, and others are not to suffer from it.
      const { id, name, nodeId, generation, state, onNodeLoss, witnessNodeId } = this;
      return create(InstanceSchema, { id, name, nodeId, generation, state, onNodeLoss, witnessNodeId });
    }
  }
}

/** Instances that were asked for lately: requests through the gateway ask for the same few again and again. */
const apart = new Map<HeldInstance, Instance>();
const APART_MAX = 2_000;
