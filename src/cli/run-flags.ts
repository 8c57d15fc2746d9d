/** The flags of `run`, as commander has them, and the order that they make. Pure. */
import type { ClientFlags } from "./command-context.ts";
import { LIMITS, type LimitName, type LimitValues } from "./limit-flags.ts";
import { permissionFlagsGiven, type PermissionFlags } from "./permissions/permission-flags.ts";
import type { RestartChoice } from "./restart-flag.ts";
import type { IsolationWord, NodeLossWord, ReuseWord, RunOrder } from "./run-order.ts";

/** The flags of `run`, understood. */
export type RunFlags = ClientFlags &
  PermissionFlags & { readonly [Name in LimitName]?: number } & {
    readonly file?: string;
    readonly name?: string;
    readonly unique?: boolean;
    readonly label?: Readonly<Record<string, string>>;
    readonly env?: Readonly<Record<string, string>>;
    readonly config?: Readonly<Record<string, string>>;
    readonly configFile?: string;
    readonly arg?: readonly string[];
    readonly stdin?: string;
    readonly restart?: RestartChoice;
    readonly backoff?: number;
    readonly timeout?: number;
    readonly isolation?: IsolationWord;
    readonly reuse?: ReuseWord;
    readonly onNodeLoss?: NodeLossWord;
    readonly dryRun?: boolean;
    readonly count?: number;
    readonly wait?: boolean;
    readonly node?: string;
    readonly nodeLabel?: Readonly<Record<string, string>>;
    readonly digest?: string;
    readonly idempotencyKey?: string;
  };

/** The order that flags make; `configFile` is what --config-file holds, on top of which --config values come. */
export function orderFromFlags(
  module: string | undefined,
  flags: RunFlags,
  configFile: Readonly<Record<string, string>> | undefined,
): RunOrder {
  return {
    module,
    digest: flags.digest,
    name: flags.name,
    unique: flags.unique,
    labels: flags.label,
    args: flags.arg,
    env: flags.env,
    config: { ...configFile, ...flags.config },
    stdin: flags.stdin,
    rules: permissionFlagsGiven(flags).flatMap((flag) => flag.rules),
    limits: limitsFromFlags(flags),
    restart: flags.restart,
    backoffMs: flags.backoff,
    isolation: flags.isolation,
    reuse: flags.reuse,
    onNodeLoss: flags.onNodeLoss,
    count: flags.count,
    node: flags.node,
    nodeLabels: flags.nodeLabel,
  };
}

function limitsFromFlags(flags: RunFlags): LimitValues {
  // A command has no calls and a server is no command: which of the two it is shows only when it is started.
  const both = flags.timeout === undefined ? {} : { callTimeout: flags.timeout, commandTimeout: flags.timeout };
  const named = LIMITS.flatMap(({ name }) => (flags[name] === undefined ? [] : [[name, flags[name]] as const]));
  return { ...both, ...Object.fromEntries<number | undefined>(named) };
}
