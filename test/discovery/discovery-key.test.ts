/** The key guard. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entryFromText, keyOfEntry, textFromEntry, type DiscoveryEntry } from "../../src/discovery/discovery-entry.ts";
import { assertMayWrite, DiscoveryKey, subjectFromKey } from "../../src/discovery/discovery-key.ts";
import { isFault, Reason } from "../../src/fault.ts";

const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
/** Ids, and what somebody could pass for one to reach another key. */
const anyText = fc.oneof(
  id,
  fc.string({ unit: "binary" }),
  fc.constantFrom("../instances/a", "a/b", "a:b", "", "logs/x"),
);

describe("the key guard", () => {
  test("makes keys of nodes and of providers only, whatever the ids are", () => {
    fc.assert(
      fc.property(anyText, anyText, fc.boolean(), (nodeId, providerId, ofNode) => {
        try {
          const key = DiscoveryKey.of(ofNode ? { kind: "node", nodeId } : { kind: "provider", nodeId, providerId });
          expect(key.text).toMatch(
            ofNode ? /^\/wasmatrix\/nodes\/[\w.-]+$/ : /^\/wasmatrix\/providers\/[\w.-]+:[\w.-]+$/,
          );
          expect(subjectFromKey(key.text)).toEqual(key.subject);
          assertMayWrite(key);
        } catch (error) {
          expect(isFault(error, Reason.INVALID_REQUEST)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("lets nothing else be written: no text, and no object of the same shape", () => {
    const made = DiscoveryKey.of({ kind: "node", nodeId: "a" });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.anything()), (value) => {
        expect(() => assertMayWrite(value)).toThrow(/only keys of nodes and providers/);
      }),
      { numRuns: 1_000 },
    );
    for (const forged of [{ ...made }, Object.create(DiscoveryKey.prototype), JSON.parse(JSON.stringify(made))]) {
      expect(() => assertMayWrite(forged)).toThrow(/only keys of nodes and providers/);
    }
  });

  test("refuses the keys of instances, logs and desired state", () => {
    for (const nodeId of ["../instances/a", "a/../../instances/b", "/wasmatrix/instances/a", "a\n", "a b", ""]) {
      expect(() => DiscoveryKey.of({ kind: "node", nodeId })).toThrow(/is not an id/);
    }
    for (const key of ["/wasmatrix/instances/a", "/wasmatrix/logs/a", "/wasmatrix/desired/a", "/other/nodes/a"]) {
      expect(subjectFromKey(key)).toBeUndefined();
    }
  });
});

describe("entries", () => {
  const entry: fc.Arbitrary<DiscoveryEntry> = fc.oneof(
    fc.record({
      kind: fc.constant("node" as const),
      nodeId: id,
      address: fc.webUrl(),
      ingressAddress: fc.oneof(fc.constant(""), fc.webUrl()),
      protocolVersion: fc.nat(),
    }),
    fc.record({
      kind: fc.constant("provider" as const),
      nodeId: id,
      providerId: id,
      type: fc.constantFrom("kv", "http"),
      backend: fc.string({ maxLength: 20 }),
      isRunning: fc.boolean(),
    }),
  );

  test("come back from their text as they were", () => {
    fc.assert(
      fc.property(entry, (given) => {
        expect(entryFromText(keyOfEntry(given).text, textFromEntry(given))).toEqual(given);
      }),
      { numRuns: 1_000 },
    );
  });

  test("that somebody else wrote are passed over, whatever they are", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          id.map((one) => `/wasmatrix/nodes/${one}`),
          fc.string(),
        ),
        fc.oneof(fc.string(), fc.json()),
        (key, text) => {
          const read = entryFromText(key, text);
          expect(read === undefined || read.kind === "node").toBe(true);
        },
      ),
      { numRuns: 1_000 },
    );
    expect(
      entryFromText("/wasmatrix/nodes/a", '{"address":"file:///etc","ingressAddress":"","protocolVersion":1}'),
    ).toBeUndefined();
    expect(entryFromText("/wasmatrix/nodes/a", "x".repeat(5000))).toBeUndefined();
  });
});
