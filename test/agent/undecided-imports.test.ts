import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  assertImportsDecided,
  effectOf,
  undecidedImports,
  type EffectType,
} from "../../src/agent/undecided-imports.ts";
import { Reason } from "../../src/fault.ts";
import type { CapabilityType } from "../../src/providers/permissions.ts";
import { CORE_ABI_SIGNATURES } from "../../src/runtime/abi/abi-signatures.ts";

const STORE = "wasi:keyvalue/store@0.2.0-draft";
const OUTGOING = "wasi:http/outgoing-handler@0.2.12";
const CONSUMER = "wasmcloud:messaging/consumer@0.2.0";

const refusalOf = (imports: readonly string[], types: readonly CapabilityType[] = []): unknown => {
  try {
    assertImportsDecided(
      "a1",
      { imports },
      types.map((type) => ({ type })),
    );
    return undefined;
  } catch (error) {
    return error;
  }
};

describe("the effect of an import", () => {
  test.each([
    [STORE, "kv"],
    ["wasi:keyvalue/atomics@0.2.0-draft", "kv"],
    ["wasi:keyvalue/batch@0.2.0-draft2", "kv"],
    [OUTGOING, "http"],
    [CONSUMER, "messaging"],
    ["wasmatrix.kv_compare_and_swap", "kv"],
    ["wasmatrix.http_request", "http"],
    ["wasmatrix.request", "messaging"],
  ])("%s is of %s", (name, type) => expect(effectOf(name)).toBe(type));

  test.each([
    "wasi:filesystem/preopens@0.2.3",
    "wasi:cli/environment@0.2.3",
    "wasi:sockets/tcp@0.2.3",
    "wasi:config/store@0.2.0-draft",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:clocks/wall-clock@0.2.3",
    "wasi:random/random@0.2.3",
    "wasi:http/types@0.2.3",
    "wasmcloud:messaging/types@0.2.0",
    "wasi_snapshot_preview1.path_open",
    "wasix_32v1.sock_open",
    "wasmatrix.log",
    "wasmatrix.config_get",
    "wasmatrix.env_get",
    "wasmatrix.sleep_ms",
    "wasmatrix.toString",
    "toString",
    // A version that is not hosted is refused by that, if it is used at all.
    "wasi:keyvalue/store@9.0.0",
  ])("%s needs no decision", (name) => expect(effectOf(name)).toBeUndefined());

  test("every function of the core import ABI that needs a permission is of a type", () => {
    for (const [name, { permission }] of Object.entries(CORE_ABI_SIGNATURES))
      expect(effectOf(`wasmatrix.${name}`) !== undefined, name).toBe(permission !== undefined);
  });
});

describe("imports that nothing is said about", () => {
  test("are refused by name, with the flags that decide", () => {
    expect(refusalOf([STORE])).toMatchObject({
      reason: Reason.CAPABILITY_DENIED,
      code: "permission_denied",
      subject: STORE,
      message: `Cannot start instance "a1": it imports ${STORE} and nothing is said about kv; grant it (--allow-kv) or say that it goes without (--deny-kv)`,
    });
  });

  test("are named all at once, those that are decided on left out", () => {
    expect(refusalOf([OUTGOING, STORE, CONSUMER, "wasi:io/poll@0.2.0"], ["messaging"])).toMatchObject({
      message: `Cannot start instance "a1": it imports ${OUTGOING} and ${STORE} and nothing is said about kv and http; grant them (--allow-kv, --allow-net) or say that it goes without (--deny-kv, --deny-net)`,
    });
    expect(refusalOf(["wasmatrix.publish"])).toMatchObject({
      message: expect.stringContaining("nothing is said about messaging; grant it (--allow-publish)"),
    });
  });

  test("are counted beyond ten", () => {
    const versions = (count: number) =>
      Array.from({ length: count }, (_, index) => `wasi:http/outgoing-handler@0.2.${index}`);
    expect(refusalOf(versions(10))).toMatchObject({ message: expect.not.stringContaining("more") });
    expect(refusalOf(versions(12))).toMatchObject({
      message: expect.stringContaining("wasi:http/outgoing-handler@0.2.9 and 2 more and nothing is said about http;"),
    });
  });

  test("are those whose type has no assignment, whatever else there is", () => {
    const type = fc.constantFrom<CapabilityType>("kv", "http", "messaging", "files", "environment");
    const name = fc.constantFrom(STORE, OUTGOING, CONSUMER, "wasmatrix.kv_get", "wasi:io/poll@0.2.0", "env.memory");
    fc.assert(
      fc.property(fc.array(name), fc.array(type), (imports, types) => {
        const found = undecidedImports(
          { imports },
          types.map((each) => ({ type: each })),
        );
        const expected = imports.filter((each) => {
          const effect = effectOf(each);
          return effect !== undefined && !types.includes(effect);
        });
        expect(new Set(found.imports)).toEqual(new Set(expected));
        expect(new Set(found.types)).toEqual(new Set<EffectType | undefined>(expected.map(effectOf)));
        expect(refusalOf(imports, types) === undefined).toBe(expected.length === 0);
      }),
      { numRuns: 1_000 },
    );
  });
});
