/**
 * An instance as the fold holds it: what decisions look at, and all the rest as the bytes in which it came. A control plane may
 * hold a million of them, and taken apart each would need ten times the memory.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InstanceSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { openEnum, scanWire, timeMsIn } from "./wire-scan.ts";

/** See the top of the file. Immutable. */
export interface HeldInstance
  extends Readonly<Pick<Instance, "id" | "name" | "nodeId" | "generation" | "state" | "onNodeLoss" | "witnessNodeId">> {
  /** All of it, taken apart at each call but for those asked for lately. Not to be changed. */
  whole(): Instance;
  /** When it was made, by its node's clock, in milliseconds since the Unix epoch; 0 if its node did not say. */
  readonly createdMs: number;
  /** Its labels, each as `labelText` has it. Read anew at each call. */
  labels(): readonly string[];
  /** The same without the bytes around it, if they are many: it would keep them in memory. */
  alone(): HeldInstance;
}

/** Reads what lies from `from` to `to`; the bytes must not change any more. Throws `RangeError` for what is no instance. */
export function heldInstanceFromBytes(
  bytes: Uint8Array,
  from: number = 0,
  to: number = bytes.length,
): HeldInstance {
  return new BytesInstance(bytes, from, to);
}

/** Holds an instance that was taken apart already. */
export function heldInstanceFromMessage(instance: Instance): HeldInstance {
  return new BytesInstance(toBinary(InstanceSchema, instance), 0);
}

/** A label as one text. */
export function labelText(key: string, value: string): string {
  return `${key}\n${value}`;
}

/** The numbers of fields in the contract. */
const FIELD = {
  id: 1,
  name: 2,
  labels: 3,
  generation: 4,
  nodeId: 7,
  state: 8,
  createTime: 14,
  onNodeLoss: 25,
  witnessNodeId: 26,
} as const;

/** So much around an instance, besides its own size, is not worth a copy. */
const ATTACHED_MAX_BYTES = 256;

class BytesInstance implements HeldInstance {
  readonly id: string;
  readonly name: string;
  readonly nodeId: string;
  readonly generation: bigint;
  readonly state: Instance["state"];
  readonly onNodeLoss: Instance["onNodeLoss"];
  readonly witnessNodeId: string;
  readonly createdMs: number;
  readonly #bytes: Uint8Array;
  readonly #from: number;
  readonly #to: number;

  constructor(bytes: Uint8Array, from: number, to: number = bytes.length) {
    let [id, name, nodeId, witnessNodeId] = ["", "", "", ""];
    let [generation, state, onNodeLoss, createdMs] = [0, 0, 0, 0];
    const scan = scanWire(bytes, from, to);
    for (let field = scan.next(); field !== 0; field = scan.next()) {
      if (field === FIELD.id) id = scan.text();
      else if (field === FIELD.name) name = shared(scan.text());
      else if (field === FIELD.generation) generation = scan.number();
      else if (field === FIELD.nodeId) nodeId = shared(scan.text());
      else if (field === FIELD.state) state = scan.number();
      else if (field === FIELD.createTime) createdMs = timeMsIn(bytes, scan.from, scan.to);
      else if (field === FIELD.onNodeLoss) onNodeLoss = scan.number();
      else if (field === FIELD.witnessNodeId) witnessNodeId = shared(scan.text());
    }
    this.id = id;
    this.name = name;
    this.nodeId = nodeId;
    this.generation = generation === 1 ? 1n : BigInt(generation);
    this.state = openEnum(state);
    this.onNodeLoss = openEnum(onNodeLoss);
    this.witnessNodeId = witnessNodeId;
    this.createdMs = createdMs;
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
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

  labels(): readonly string[] {
    const labels: string[] = [];
    const scan = scanWire(this.#bytes, this.#from, this.#to);
    for (let field = scan.next(); field !== 0; field = scan.next()) {
      if (field !== FIELD.labels) continue;
      const entry = scanWire(this.#bytes, scan.from, scan.to);
      let [key, value] = ["", ""];
      for (let part = entry.next(); part !== 0; part = entry.next()) {
        if (part === 1) key = entry.text();
        else if (part === 2) value = entry.text();
      }
      labels.push(shared(labelText(key, value)));
    }
    return labels;
  }

  alone(): HeldInstance {
    const sizeBytes = this.#to - this.#from;
    if (this.#bytes.buffer.byteLength <= 2 * sizeBytes + ATTACHED_MAX_BYTES) return this;
    return new BytesInstance(this.#bytes.slice(this.#from, this.#to), 0);
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

/** The same text for equal texts, as far as they came lately: names and nodes repeat a thousand times. */
function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(text, text);
  return text;
}

const texts = new Map<string, string>();
const TEXTS_MAX = 50_000;
