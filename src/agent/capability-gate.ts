/** Where every side effect of a guest is checked, at the moment it happens, against what its instance may do at that moment. */
import type { Clock } from "../clock.ts";
import { fault, isFault, Reason } from "../fault.ts";
import type { KvAnswer, KvCall } from "../providers/kv/kv.ts";
import { runKvCall } from "../providers/kv/kv-call.ts";
import { checkKvCall } from "../providers/kv/check-kv-call.ts";
import type { Grant } from "../providers/permissions.ts";
import type { ProviderSet } from "./provider-set.ts";

/** What a gate is given. */
export type CapabilityGateDeps = {
  /** What the instance may do now; `undefined` if it is not live. */
  readonly grantsOf: (id: string) => readonly Grant[] | undefined;
  readonly providers: Pick<ProviderSet, "kv">;
  /** Takes refused operations, those of one second together. */
  readonly onDenied: (id: string, count: number, message: string) => void;
  readonly clock: Clock;
};

/** See the top of the file. */
export interface CapabilityGate {
  /**
   * Carries out a key-value call in the name of an instance. Throws `CAPABILITY_DENIED`, `INSTANCE_NOT_RUNNING`,
   * `PROVIDER_NOT_FOUND`, `PROVIDER_STOPPED`, `PROVIDER_UNAVAILABLE` and what the operation throws.
   */
  kv(id: string, call: KvCall): Promise<KvAnswer>;
  /** Hands over refusals that still wait for their second to pass. */
  flush(): void;
}

/** Refusals of one instance within this time are one fact. */
const DENIALS_WINDOW_MS = 1_000;

/** Makes a gate. */
export function createCapabilityGate(deps: CapabilityGateDeps): CapabilityGate {
  /** Refusals since the window of an instance opened that were not handed over yet. */
  const windows = new Map<string, { count: number; message: string }>();

  const denied = (id: string, message: string): void => {
    const open = windows.get(id);
    if (open !== undefined) {
      open.count += 1;
      open.message = message;
      return;
    }
    // The first is known at once, a flood of repeats costs one fact a second.
    deps.onDenied(id, 1, message);
    openWindow(id);
  };

  const openWindow = (id: string): void => {
    const window = { count: 0, message: "" };
    windows.set(id, window);
    deps.clock.after(DENIALS_WINDOW_MS, () => {
      if (windows.get(id) !== window) return;
      windows.delete(id);
      if (window.count === 0) return;
      handOver(id, window);
      openWindow(id);
    });
  };

  const handOver = (id: string, window: { readonly count: number; readonly message: string }): void => {
    deps.onDenied(
      id,
      window.count,
      window.count === 1 ? window.message : `${window.message} (and ${window.count - 1} more refusals)`,
    );
  };

  return {
    async kv(id, call) {
      const grants = deps.grantsOf(id);
      if (grants === undefined)
        throw fault(Reason.INSTANCE_NOT_RUNNING, `Cannot use key-value store: instance "${id}" is not live`, {
          subject: id,
        });
      const verdict = checkKvCall(grants, call);
      if (verdict.kind === "denied") {
        const needed = verdict.needed.join(call.kind === "open" ? " or " : " and ");
        const message = `Cannot ${call.kind} in bucket "${verdict.bucket}": instance "${id}" has no assignment with ${needed}`;
        denied(id, message);
        throw fault(Reason.CAPABILITY_DENIED, message, { subject: id });
      }
      const { providerId } = verdict.assignment;
      const provider = deps.providers.kv(providerId);
      try {
        return await runKvCall(provider, call);
      } catch (error) {
        if (isFault(error)) throw error;
        throw fault(Reason.PROVIDER_UNAVAILABLE, `Cannot use provider "${providerId}": its backend failed`, {
          subject: providerId,
          cause: error,
        });
      }
    },
    flush() {
      for (const [id, window] of windows) if (window.count > 0) handOver(id, window);
      windows.clear();
    },
  };
}
