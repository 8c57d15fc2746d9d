/** What is announced of a node and of its providers, and its text in a discovery store. */
import { DiscoveryKey, subjectFromKey } from "./discovery-key.ts";

/** A node that can be asked for its reports. */
export type NodeEntry = {
  readonly kind: "node";
  readonly nodeId: string;
  /** Base URL of NodeAgentService. */
  readonly address: string;
  /** Base URL of its HTTP ingress. */
  readonly ingressAddress: string;
  readonly protocolVersion: number;
};

/** Metadata of a provider: where it is and what it is, never what it holds or who may use it. */
export type ProviderEntry = {
  readonly kind: "provider";
  readonly nodeId: string;
  readonly providerId: string;
  /** `kv`, `http`, `messaging`, ... */
  readonly type: string;
  /** What stands behind it: `sqlite`, `memory`, ... */
  readonly backend: string;
  readonly isRunning: boolean;
};

/** One key and value. */
export type DiscoveryEntry = NodeEntry | ProviderEntry;

/** Longest value that is read; longer ones are not ours. */
export const ENTRY_MAX_CHARACTERS = 4096;

/** The key under which an entry stands. */
export function keyOfEntry(entry: DiscoveryEntry): DiscoveryKey {
  return DiscoveryKey.of(entry);
}

/** The value of an entry: JSON without what the key says. */
export function textFromEntry(entry: DiscoveryEntry): string {
  if (entry.kind === "node") {
    const { address, ingressAddress, protocolVersion } = entry;
    return JSON.stringify({ address, ingressAddress, protocolVersion });
  }
  const { type, backend, isRunning } = entry;
  return JSON.stringify({ type, backend, isRunning });
}

/** The entry of a key and value that were read; `undefined` if either is not ours: whoever else writes there must not harm a reader. */
export function entryFromText(key: string, text: string): DiscoveryEntry | undefined {
  const subject = subjectFromKey(key);
  const value = text.length <= ENTRY_MAX_CHARACTERS ? parsed(text) : undefined;
  if (subject === undefined || value === undefined) return undefined;
  if (subject.kind === "node") {
    const { address, ingressAddress, protocolVersion } = value;
    if (!isBaseUrl(address) || !(ingressAddress === "" || isBaseUrl(ingressAddress))) return undefined;
    if (typeof protocolVersion !== "number" || !Number.isSafeInteger(protocolVersion)) return undefined;
    return { ...subject, address, ingressAddress, protocolVersion };
  }
  const { type, backend, isRunning } = value;
  if (typeof type !== "string" || typeof backend !== "string" || typeof isRunning !== "boolean") return undefined;
  return { ...subject, type, backend, isRunning };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    // Lost: what was wrong with it. It is somebody else's, or of a version that writes otherwise.
    return undefined;
  }
}

function isBaseUrl(value: unknown): value is string {
  if (typeof value !== "string") return false;
  const url = URL.parse(value);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:");
}
