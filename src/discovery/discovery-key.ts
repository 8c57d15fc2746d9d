/**
 * The key guard: what may be written to a discovery store, by construction. A store takes `DiscoveryKey`s only, and only this
 * file makes them: for nodes and for metadata of providers. There is no key for instances, logs or anything desired.
 */
import { fault, Reason } from "../fault.ts";

/** What a key stands for. */
export type DiscoverySubject =
  | { readonly kind: "node"; readonly nodeId: string }
  | { readonly kind: "provider"; readonly nodeId: string; readonly providerId: string };

/** Where all keys lie. */
export const DISCOVERY_PREFIX: string = "/wasmatrix/";

/** The two parts of it. */
export const DISCOVERY_FOLDERS: { readonly node: string; readonly provider: string } = {
  node: `${DISCOVERY_PREFIX}nodes/`,
  provider: `${DISCOVERY_PREFIX}providers/`,
};

/** A key that may be written; only `discoveryKey` makes one. */
export class DiscoveryKey {
  readonly text: string;
  /** Objects of the same shape are no keys: a private member is asked for at run time, too. */
  readonly #subject: DiscoverySubject;

  private constructor(subject: DiscoverySubject) {
    this.#subject = subject;
    this.text =
      subject.kind === "node"
        ? `${DISCOVERY_FOLDERS.node}${subject.nodeId}`
        : `${DISCOVERY_FOLDERS.provider}${subject.nodeId}:${subject.providerId}`;
  }

  /** What it stands for. */
  get subject(): DiscoverySubject {
    return this.#subject;
  }

  /** Throws `INVALID_REQUEST` for an id that is none. */
  static of(subject: DiscoverySubject): DiscoveryKey {
    for (const id of subject.kind === "node" ? [subject.nodeId] : [subject.nodeId, subject.providerId]) {
      if (!ID.test(id)) {
        throw fault(
          Reason.INVALID_REQUEST,
          `Cannot make a discovery key: ${JSON.stringify(id.slice(0, 80))} is not an id of 1 to 63 letters, digits, dots, hyphens and underscores`,
          { subject: id.slice(0, 80) },
        );
      }
    }
    return new DiscoveryKey(subject);
  }

  /** Whether something at run time is a key that was made here. */
  static isMade(value: unknown): value is DiscoveryKey {
    return typeof value === "object" && value !== null && #subject in value;
  }
}

/** What a key that was read stands for; `undefined` for one that is not ours. */
export function subjectFromKey(text: string): DiscoverySubject | undefined {
  const node = rest(text, DISCOVERY_FOLDERS.node);
  if (node !== undefined) return ID.test(node) ? { kind: "node", nodeId: node } : undefined;
  const [nodeId = "", providerId = "", ...more] = rest(text, DISCOVERY_FOLDERS.provider)?.split(":") ?? [];
  if (more.length > 0 || !ID.test(nodeId) || !ID.test(providerId)) return undefined;
  return { kind: "provider", nodeId, providerId };
}

/** Throws `INTERNAL` unless the key was made by the guard: what a store calls before every write. */
export function assertMayWrite(key: unknown): asserts key is DiscoveryKey {
  if (DiscoveryKey.isMade(key)) return;
  throw fault(Reason.INTERNAL, "Cannot write to the discovery store: only keys of nodes and providers may be written");
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function rest(text: string, folder: string): string | undefined {
  return text.startsWith(folder) ? text.slice(folder.length) : undefined;
}
