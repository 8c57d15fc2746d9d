/** What `run` is asked for, by flags, by a manifest, or by both. Pure. */
import type { LimitValues } from "./limit-flags.ts";
import type { PermissionRule } from "./permissions/permission-rule.ts";
import type { RestartChoice } from "./restart-flag.ts";
import { UsageError } from "./usage-error.ts";

/** Which threads host an instance. */
export type IsolationWord = "shared" | "dedicated";

/** What of its memory one call leaves to the next. */
export type ReuseWord = "instance" | "none";

/** Every `IsolationWord`. */
export const ISOLATION_WORDS: readonly IsolationWord[] = ["shared", "dedicated"];

/** Every `ReuseWord`. */
export const REUSE_WORDS: readonly ReuseWord[] = ["instance", "none"];

/** What becomes of an instance whose node is lost. */
export type NodeLossWord = "none" | "restart-elsewhere";

/** Every `NodeLossWord`. */
export const NODE_LOSS_WORDS: readonly NodeLossWord[] = ["none", "restart-elsewhere"];

/** Instances that one `run` starts at most. */
export const COUNT_MAX = 10_000;

/** See the top of the file. What is left out is the default. */
export type RunOrder = {
  /** File (absolute or relative to the working folder), URL or digest. */
  readonly module?: string | undefined;
  readonly digest?: string | undefined;
  readonly name?: string | undefined;
  readonly unique?: boolean | undefined;
  readonly labels?: Texts | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: Texts | undefined;
  readonly config?: Texts | undefined;
  /** File, or `-` for this program's own standard input. */
  readonly stdin?: string | undefined;
  readonly rules?: readonly PermissionRule[] | undefined;
  readonly limits?: LimitValues | undefined;
  readonly restart?: RestartChoice | undefined;
  readonly backoffMs?: number | undefined;
  readonly isolation?: IsolationWord | undefined;
  readonly reuse?: ReuseWord | undefined;
  readonly onNodeLoss?: NodeLossWord | undefined;
  readonly count?: number | undefined;
  readonly node?: string | undefined;
  readonly nodeLabels?: Texts | undefined;
};

type Texts = Readonly<Record<string, string>>;

/**
 * The order of a manifest with that of flags on top: single values and lists of flags replace the manifest's, maps are
 * joined key by key, permissions are added, so that only a denial takes anything away.
 */
export function mergedOrder(manifest: RunOrder, flags: RunOrder): RunOrder {
  return {
    module: flags.module ?? manifest.module,
    // The bytes that a manifest's digest is of are those of its module, not of another one.
    digest: flags.digest ?? (flags.module === undefined ? manifest.digest : undefined),
    name: flags.name ?? manifest.name,
    unique: flags.unique ?? manifest.unique,
    labels: { ...manifest.labels, ...flags.labels },
    args: flags.args ?? manifest.args,
    env: { ...manifest.env, ...flags.env },
    config: { ...manifest.config, ...flags.config },
    stdin: flags.stdin ?? manifest.stdin,
    rules: [...(manifest.rules ?? []), ...(flags.rules ?? [])],
    limits: { ...manifest.limits, ...flags.limits },
    restart: flags.restart ?? manifest.restart,
    backoffMs: flags.backoffMs ?? manifest.backoffMs,
    isolation: flags.isolation ?? manifest.isolation,
    reuse: flags.reuse ?? manifest.reuse,
    onNodeLoss: flags.onNodeLoss ?? manifest.onNodeLoss,
    count: flags.count ?? manifest.count,
    node: flags.node ?? manifest.node,
    nodeLabels: { ...manifest.nodeLabels, ...flags.nodeLabels },
  };
}

/** Throws `UsageError` for what does not go together. */
export function assertRunOrder(order: RunOrder): void {
  const count = order.count ?? 1;
  if (order.unique && order.name === undefined)
    throw new UsageError("Cannot use --unique: there is no name", "give one with --name");
  if (order.unique && count > 1)
    throw new UsageError(
      "Cannot start several instances under a unique name",
      "leave --unique out; instances may share a name and its load",
    );
  if (order.backoffMs !== undefined && (order.restart === undefined || order.restart.kind === "never"))
    throw new UsageError("Cannot use --backoff: nothing is restarted", "add --restart on-failure or --restart always");
}
