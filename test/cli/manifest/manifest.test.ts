import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/cli/limit-flags.ts";
import { configValuesFromText } from "../../../src/cli/manifest/config-values.ts";
import { orderFromManifest } from "../../../src/cli/manifest/manifest.ts";
import { MANIFEST_SCHEMA } from "../../../src/cli/manifest/manifest-schema.ts";
import type { RunOrder } from "../../../src/cli/run-order.ts";
import { UsageError } from "../../../src/cli/usage-error.ts";

const FILE = "/srv/app/wasmatrix.json";

function orderOf(value: unknown): RunOrder {
  return orderFromManifest(JSON.stringify(value), FILE, "wasmatrix.json");
}

const WHOLE = {
  $schema: "./wasmatrix.schema.json",
  module: "./app.wasm",
  digest: `sha256:${"a".repeat(64)}`,
  name: "hello",
  unique: true,
  labels: { team: "web" },
  args: ["-v", "x"],
  env: { A: "1" },
  config: { greeting: "hi" },
  stdin: "in.txt",
  permissions: {
    allow: ["kv:read", "http:domain:API.example.com:443", "msg:publish:orders.*", "fs:read:./data::/data", "env:LANG"],
    deny: ["http:domain:b.example", "fs:write:/etc"],
    kv: { visits: { allow: ["kv:read", "kv:write"], deny: ["kv:delete"], provider: "kv-memory" } },
  },
  limits: {
    memory: "32MiB",
    callTimeout: "5s",
    commandTimeout: "1h30m",
    startTimeout: "500ms",
    cpuTime: "2s",
    concurrentCalls: 4,
    queuedCalls: 8,
    openHandles: 100,
    outputBytesPerMinute: "1 MB",
    outputLinesPerMinute: 1000,
    requestBody: "1.5KiB",
    responseBody: "65536",
  },
  restart: "on-failure:3",
  backoff: "250ms",
  isolation: "dedicated",
  reuse: "none",
  onNodeLoss: "restart-elsewhere",
  count: 1,
  node: "rack-7",
  nodeLabels: { zone: "eu" },
};

describe("a manifest", () => {
  test("says all that flags of run say, with paths against its own folder", () => {
    expect(Object.keys(WHOLE.limits)).toEqual(LIMITS.map(({ name }) => name));
    expect(Object.keys(WHOLE).toSorted()).toEqual(Object.keys(MANIFEST_SCHEMA.properties ?? {}).toSorted());
    const rule = (effect: string, type: string, permission: string, bucket = "", providerId = ""): object => ({
      effect,
      type,
      permission,
      bucket,
      providerId,
    });
    expect(orderOf(WHOLE)).toEqual({
      module: "/srv/app/app.wasm",
      digest: WHOLE.digest,
      name: "hello",
      unique: true,
      labels: { team: "web" },
      args: ["-v", "x"],
      env: { A: "1" },
      config: { greeting: "hi" },
      stdin: "/srv/app/in.txt",
      rules: [
        rule("allow", "kv", "kv:read"),
        rule("allow", "http", "http:domain:api.example.com:443"),
        rule("allow", "messaging", "msg:publish:orders.*"),
        rule("allow", "files", "fs:read:/srv/app/data::/data"),
        rule("allow", "environment", "env:LANG"),
        rule("deny", "http", "http:domain:b.example"),
        rule("deny", "files", "fs:write:/etc"),
        rule("allow", "kv", "kv:read", "visits", "kv-memory"),
        rule("allow", "kv", "kv:write", "visits", "kv-memory"),
        rule("deny", "kv", "kv:delete", "visits", "kv-memory"),
      ],
      limits: {
        memory: 33_554_432,
        callTimeout: 5000,
        commandTimeout: 5_400_000,
        startTimeout: 500,
        cpuTime: 2000,
        concurrentCalls: 4,
        queuedCalls: 8,
        openHandles: 100,
        outputBytesPerMinute: 1_000_000,
        outputLinesPerMinute: 1000,
        requestBody: 1536,
        responseBody: 65_536,
      },
      restart: { kind: "on-failure", retriesMax: 3 },
      backoffMs: 250,
      isolation: "dedicated",
      reuse: "none",
      onNodeLoss: "restart-elsewhere",
      count: 1,
      node: "rack-7",
      nodeLabels: { zone: "eu" },
    });
  });

  test("may name a URL or a digest for its module", () => {
    for (const module of ["https://example.com/app.wasm", `sha256:${"b".repeat(64)}`])
      expect(orderOf({ module }).module).toBe(module);
    expect(orderOf({ module: "/abs/app.wasm" }).module).toBe("/abs/app.wasm");
  });

  test.each([
    ["{", 1, "a key in double quotes is missing at the end"],
    ["[]", 1, "it is a list, not an object"],
    ["{}", 1, '"module" is missing'],
    ['{"module": "a",\n"limit": {}}', 2, "limit: there is no such key; there are $schema, module"],
    ['{"module": "a",\n"limits": {\n"memory": "64M"}}', 3, 'limits.memory: "M" is not a unit'],
    ['{"module": "a",\n"limits": {\n"memory": 64}}', 3, "limits.memory: it is a whole number, not a text"],
    ['{"module": "a", "limits": {"callTimeout": "30"}}', 1, "limits.callTimeout: the unit is missing"],
    ['{"module": "a", "limits": {"callTimeout": "0"}}', 1, "it must be more than 0"],
    ['{"module": "a", "limits": {"concurrentCalls": 0}}', 1, "it is not from 1"],
    ['{"module": "a", "limits": {"concurrentCalls": 1.5}}', 1, "a number with a fraction"],
    [
      '{"module": "a",\n"permissions": {"allow": ["kv:read",\n"kv:fly"]}}',
      3,
      "permissions.allow[1]: Cannot accept permission",
    ],
    [
      '{"module": "a", "permissions": {"deny": ["fs:read:a::/b"]}}',
      1,
      "permissions.deny[0]: a folder of the host is denied",
    ],
    [
      '{"module": "a", "permissions": {"kv": {"b": {"allow": ["kv:fly"]}}}}',
      1,
      'permissions.kv.b.allow[0]: "kv:fly" is none of',
    ],
    ['{"module": "a", "env": {"A B": 1}}', 1, 'env["A B"]: it is a whole number, not a text'],
    ['{"module": "a", "restart": "sometimes"}', 1, "restart: there are never, always"],
    ['{"module": "a", "isolation": "alone"}', 1, 'isolation: "alone" is none of shared, dedicated'],
    ['{"module": "a", "name": "No Label"}', 1, 'name: "No Label" does not fit'],
    ['{"module": "a", "digest": "abc"}', 1, 'digest: "abc" does not fit; write it like sha256:'],
    ['{"module": ""}', 1, "module: it is empty"],
    ['{"module": null}', 1, "module: it is null, not a text"],
    ['{"module": "a", "module": "b"}', 1, 'the key "module" stands there twice'],
  ])("%j is refused with file, line, key and what is wrong", (text, line, problem) => {
    const read = (): RunOrder => orderFromManifest(text, FILE, "some.json");
    expect(read).toThrow(UsageError);
    expect(read).toThrow(`Cannot read manifest some.json:${line}: `);
    expect(read).toThrow(problem);
  });
});

describe("the published schema", () => {
  const isValid = new Ajv2020({ strict: true, allErrors: false }).compile(MANIFEST_SCHEMA);

  test("is the one that manifests are checked by; after a change: npx vitest run test/cli/manifest -u", async () => {
    await expect(`${JSON.stringify(MANIFEST_SCHEMA, undefined, 2)}\n`).toMatchFileSnapshot(
      "../../../schema/wasmatrix.schema.json",
    );
  });

  test("takes what run takes, and describes every key", () => {
    expect(isValid(WHOLE), JSON.stringify(isValid.errors)).toBe(true);
    for (const [key, schema] of Object.entries(MANIFEST_SCHEMA.properties ?? {}))
      expect(schema.description, key).toMatch(/^\S.*[.]/);
  });

  test("refuses nothing that run takes", () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom("64MiB", "1.5 gb", " 30s", "0", "1h30m", "on-failure:3", "never", "always", "shared", "none"),
      fc.constantFrom("kv:read", "http:domain:a.example", "env:*", "fs:read:a", "msg:publish:>", "a", "2d"),
    );
    const leaf = fc.oneof(
      text,
      fc.nat(),
      fc.boolean(),
      fc.array(text, { maxLength: 2 }),
      fc.dictionary(text, text, { maxKeys: 2 }),
    );
    const objectOf = (keys: readonly string[], value: fc.Arbitrary<unknown>): fc.Arbitrary<object> =>
      fc
        .array(fc.tuple(fc.constantFrom(...keys), value), { maxLength: 2 })
        .map((entries) => Object.fromEntries(entries));
    const manifest = fc
      .tuple(
        objectOf(Object.keys(MANIFEST_SCHEMA.properties ?? {}), leaf),
        objectOf(
          LIMITS.map(({ name }) => name),
          leaf,
        ),
        objectOf(["allow", "deny", "kv"], leaf),
      )
      .map(([top, limits, permissions]) => ({ module: "a", limits, permissions, ...top }));
    let taken = 0;
    fc.assert(
      fc.property(manifest, (value) => {
        try {
          orderOf(value);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          return;
        }
        taken += 1;
        expect(isValid(value), JSON.stringify(isValid.errors)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

describe("a file of config values", () => {
  test("is an object of texts", () => {
    expect(configValuesFromText('{"a": "1", "b": ""}', "c.json")).toEqual({ a: "1", b: "" });
  });

  test.each([
    ["[]", "c.json:1: it is a list, not an object"],
    ['{\n"a": 1}', "c.json:2: a: it is a whole number, not a text"],
    ['{"a": "secret}', "c.json:1: "],
  ])("%j is refused with file and line, and without values", (text, problem) => {
    expect(() => configValuesFromText(text, "c.json")).toThrow(problem);
    expect(() => configValuesFromText(text, "c.json")).not.toThrow("secret");
  });
});
