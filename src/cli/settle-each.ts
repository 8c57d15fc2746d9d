/** One action for each of many things: none is left out because another failed. */
import type { OutputStream } from "./cli-io.ts";
import { printable } from "./printable.ts";

/** How it went with one of them. */
export type Settled<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | { readonly kind: "failed"; readonly item: string; readonly error: unknown };

/** How to go about it. */
export type SettleEachOptions<Value> = {
  /** How many are under way at the same time. */
  readonly atOnce: number;
  readonly act: (item: string) => Promise<Value>;
};

/** Acts on every item and answers how it went, in the items' order. Never throws. */
export async function settleEach<Value>(
  items: readonly string[],
  options: SettleEachOptions<Value>,
): Promise<Settled<Value>[]> {
  const settled: Settled<Value>[] = [];
  const entries = items.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of entries) {
      settled[index] = await options.act(item).then(
        (value) => ({ kind: "done", value }) as const,
        (error: unknown) => ({ kind: "failed", item, error }) as const,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.atOnce, items.length) }, work));
  return settled;
}

/** Throws the first failure, if there is one, after the others have been told on `stderr`: so each is told once. */
export async function throwFirst(settled: readonly Settled<unknown>[], stderr: OutputStream): Promise<void> {
  const failed = settled.flatMap((one) => (one.kind === "failed" ? [one] : []));
  const [first, ...others] = failed;
  if (first === undefined) return;
  for (const { error } of others)
    await stderr.write(`error: ${printable(error instanceof Error ? error.message : String(error))}\n`);
  throw first.error;
}
