/** Tells whether two start requests with one idempotency key ask for the same thing. Pure. */
import { fault, Reason } from "../../fault.ts";
import type { InstanceSpec, Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";

/** What of a request can be compared with an instance that another control plane may have started. */
export type StartIdentity = {
  readonly name: string;
  /** Empty if it is not known before the module is fetched. */
  readonly moduleDigest: string;
  readonly args: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

/** The identity of a request. */
export function identityFromSpec(spec: InstanceSpec, moduleDigest: string): StartIdentity {
  return { name: spec.name, moduleDigest, args: spec.args, labels: spec.labels };
}

/** The identity of the request that an instance was started by. */
export function identityFromInstance(instance: Instance): StartIdentity {
  return { name: instance.name, moduleDigest: instance.moduleDigest, args: instance.args, labels: instance.labels };
}

/** Throws `IDEMPOTENCY_CONFLICT` if the key was used for something else. */
export function assertSameIdentity(earlier: StartIdentity, wanted: StartIdentity, instanceId: string): void {
  const difference = differenceOf(earlier, wanted);
  if (difference === undefined) return;
  throw fault(
    Reason.IDEMPOTENCY_CONFLICT,
    `Cannot start instance "${instanceId}": its idempotency key was used before with another ${difference}`,
    { subject: instanceId },
  );
}

function differenceOf(a: StartIdentity, b: StartIdentity): string | undefined {
  if (a.name !== b.name) return `name ("${a.name}")`;
  const bothKnown = a.moduleDigest !== "" && b.moduleDigest !== "";
  if (bothKnown && a.moduleDigest !== b.moduleDigest) return `module (${a.moduleDigest})`;
  if (a.args.length !== b.args.length || a.args.some((arg, index) => arg !== b.args[index])) return "list of arguments";
  const keys = new Set([...Object.keys(a.labels), ...Object.keys(b.labels)]);
  return [...keys].some((key) => a.labels[key] !== b.labels[key]) ? "set of labels" : undefined;
}
