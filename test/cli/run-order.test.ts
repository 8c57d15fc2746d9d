import { describe, expect, test } from "vitest";
import { Isolation, OnNodeLoss, RestartMode, Reuse } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { orderFromFlags, type RunFlags } from "../../src/cli/run-flags.ts";
import { assertRunOrder, mergedOrder, NODE_LOSS_WORDS } from "../../src/cli/run-order.ts";
import { requestFromOrder } from "../../src/cli/run-request.ts";
import { ruleOf } from "../../src/cli/permissions/permission-rule.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

const NOTHING = new Uint8Array();

describe("an order of flags", () => {
  test("has --timeout for calls and commands, and each limit's own flag on top", () => {
    expect(orderFromFlags("a", { timeout: 5000, commandTimeout: 9000, memory: 1 }, undefined).limits).toEqual({
      callTimeout: 5000,
      commandTimeout: 9000,
      memory: 1,
    });
  });

  test("has the values of the config file with --config on top", () => {
    const flags: RunFlags = { config: { a: "flag" } };
    expect(orderFromFlags("a", flags, { a: "file", b: "file" }).config).toEqual({ a: "flag", b: "file" });
  });
});

describe("flags on top of a manifest", () => {
  const manifest = {
    module: "/m/app.wasm",
    digest: `sha256:${"0".repeat(64)}`,
    name: "manifest",
    args: ["a", "b"],
    env: { A: "1", B: "1" },
    limits: { memory: 1, cpuTime: 2 },
    rules: [ruleOf("allow", "http", "http:request")],
    isolation: "dedicated",
    restart: { kind: "always", retriesMax: 0 },
  } as const;

  test("replace single values and lists, join maps, and add permissions", () => {
    const flags: RunFlags = { name: "flag", arg: ["c"], env: { B: "2" }, memory: 3 };
    expect(mergedOrder(manifest, orderFromFlags(undefined, flags, undefined))).toMatchObject({
      module: "/m/app.wasm",
      digest: manifest.digest,
      name: "flag",
      args: ["c"],
      env: { A: "1", B: "2" },
      limits: { memory: 3, cpuTime: 2 },
      isolation: "dedicated",
      restart: { kind: "always" },
    });
    const deny = ruleOf("deny", "http", "http:domain:a.example");
    expect(mergedOrder(manifest, { rules: [deny] }).rules).toEqual([...manifest.rules, deny]);
  });

  test("with another module leave the manifest's digest behind", () => {
    expect(mergedOrder(manifest, { module: "other.wasm" })).toMatchObject({ module: "other.wasm", digest: undefined });
  });

  test("are checked together", () => {
    expect(() => assertRunOrder(mergedOrder({ unique: true }, { name: "a" }))).not.toThrow();
    expect(() => assertRunOrder({ unique: true })).toThrow(UsageError);
    expect(() => assertRunOrder({ unique: true, name: "a", count: 2 })).toThrow(UsageError);
    expect(() => assertRunOrder({ backoffMs: 1 })).toThrow(UsageError);
  });
});

const KEY = { idempotencyKey: "k", isOld: false };

describe("an order's request", () => {
  test("says whether its key may have been used before", () => {
    expect(requestFromOrder({}, NOTHING, KEY)).toMatchObject({ idempotencyKey: "k", attempt: 0 });
    expect(requestFromOrder({}, NOTHING, { ...KEY, isOld: true }).attempt).toBe(1);
  });

  test("says what becomes of it when its node is lost", () => {
    const losses = NODE_LOSS_WORDS.map((onNodeLoss) => requestFromOrder({ onNodeLoss }, NOTHING, KEY).spec?.onNodeLoss);
    expect(losses).toEqual([OnNodeLoss.NONE, OnNodeLoss.RESTART_ELSEWHERE]);
  });

  test("says isolation, reuse, config and limits", () => {
    const request = requestFromOrder(
      { isolation: "dedicated", reuse: "none", config: { a: "1" }, limits: { concurrentCalls: 4, openHandles: 5 } },
      NOTHING,
      KEY,
    );
    expect(request.spec).toMatchObject({
      isolation: Isolation.DEDICATED,
      reuse: Reuse.NONE,
      config: { a: "1" },
      limits: { concurrentCallsMax: 4, openHandlesMax: 5, callTimeoutMs: 0 },
    });
  });

  test("leaves what is not said to the defaults", () => {
    expect(requestFromOrder({}, NOTHING, KEY).spec).toMatchObject({
      onNodeLoss: OnNodeLoss.UNSPECIFIED,
      isolation: Isolation.UNSPECIFIED,
      reuse: Reuse.UNSPECIFIED,
      assignments: [],
      restartPolicy: { mode: RestartMode.NEVER },
    });
  });
});
