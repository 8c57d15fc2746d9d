import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHeldBytes } from "../../../src/runtime/host/held-bytes.ts";
import { Fields, FIELDS_MAX_BYTES } from "../../../src/runtime/host/http-fields.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
const fieldsOf = (...entries: readonly (readonly [string, string])[]): Fields => {
  const made = Fields.fromList(
    createHeldBytes(),
    entries.map(([name, value]) => [name, bytes(value)] as const),
  );
  if (made.tag === "err") throw new Error(made.val.tag);
  return made.val;
};
const DONE = { tag: "ok", val: undefined };
const refused = (tag: string): object => ({ tag: "err", val: { tag, val: undefined } });

describe("fields", () => {
  it("are found in any case, with all their values in order, as they were written", () => {
    const fields = fieldsOf(["X-A", "1"], ["b", "2"], ["x-a", "3"]);
    expect(fields.get("x-A")).toEqual([bytes("1"), bytes("3")]);
    expect(fields.has("B")).toBe(true);
    expect(fields.has("c")).toBe(false);
    expect(fields.get("not a name")).toEqual([]);
    expect(fields.toPairs()).toEqual([
      ["X-A", "1"],
      ["b", "2"],
      ["x-a", "3"],
    ]);
  });

  it("are replaced, deleted and added to", () => {
    const fields = fieldsOf(["a", "1"], ["b", "2"], ["A", "3"]);
    expect(fields.set("a", [bytes("4"), bytes("5")])).toEqual(DONE);
    expect(fields.append("c", bytes("6"))).toEqual(DONE);
    expect(fields.delete("B")).toEqual(DONE);
    expect(fields.entries()).toEqual([
      ["a", bytes("4")],
      ["a", bytes("5")],
      ["c", bytes("6")],
    ]);
    expect(fields.set("a", [])).toEqual(DONE);
    expect(fields.has("a")).toBe(false);
  });

  it.each(["", "a b", "a:", "ä", "a\n"])("refuse the name %j", (name) => {
    expect(Fields.fromList(createHeldBytes(), [[name, bytes("x")]])).toEqual(refused("invalid-syntax"));
    expect(fieldsOf().set(name, [bytes("x")])).toEqual(refused("invalid-syntax"));
    expect(fieldsOf().delete(name)).toEqual(refused("invalid-syntax"));
  });

  it.each(["a\r\nb: c", "\0", "\u007f"])("refuse the value %j", (value) => {
    expect(fieldsOf().append("a", bytes(value))).toEqual(refused("invalid-syntax"));
    const fields = fieldsOf(["a", "old"]);
    expect(fields.set("a", [bytes("new"), bytes(value)])).toEqual(refused("invalid-syntax"));
    expect(fields.toPairs()).toEqual([["a", "old"]]);
  });

  it("take any other value as it is", () => {
    expect(fieldsOf(["a", "\t \u00e4\u00ff"]).get("a")).toEqual([bytes("\t \u00e4\u00ff")]);
  });

  it.each(["Connection", "host", "Transfer-Encoding", "keep-alive", "upgrade"])(
    "leave %s to the connection",
    (name) => {
      expect(fieldsOf().append(name, bytes("x"))).toEqual(refused("forbidden"));
      expect(Fields.fromList(createHeldBytes(), [[name, bytes("x")]])).toEqual(refused("forbidden"));
    },
  );

  it("cannot be changed when they came from outside, while a clone can", () => {
    const fields = Fields.fromOutside(createHeldBytes(), [
      ["Host", "h"],
      ["Connection", "close"],
      ["a", "1"],
    ]);
    expect(fields.toPairs()).toEqual([
      ["Host", "h"],
      ["a", "1"],
    ]);
    expect(fields.append("b", bytes("2"))).toEqual(refused("immutable"));
    expect(fields.set("a", [])).toEqual(refused("immutable"));
    expect(fields.delete("a")).toEqual(refused("immutable"));
    expect(fields.clone().append("b", bytes("2"))).toEqual(DONE);
  });

  it("take 32 KiB all together, and not a byte more", () => {
    const fields = fieldsOf();
    expect(fields.append("a", new Uint8Array(FIELDS_MAX_BYTES - 33).fill(65))).toEqual(DONE);
    expect(fields.append("b", bytes("x"))).toEqual(refused("invalid-syntax"));
    expect(fields.set("a", [bytes("small")])).toEqual(DONE);
    expect(fields.append("b", bytes("x"))).toEqual(DONE);
  });

  it("of one guest take what it may make the host hold, and give it back when they are dropped", () => {
    const held = createHeldBytes(1_000);
    const one = new Fields(held);
    expect(one.append("a", new Uint8Array(900).fill(65))).toEqual(DONE);
    const other = new Fields(held);
    expect(other.append("a", new Uint8Array(100).fill(65))).toEqual(refused("invalid-syntax"));
    expect(() => one.clone()).toThrow("more headers");
    one.drop();
    one.drop();
    expect(held.left).toBe(1_000);
    expect(other.append("a", new Uint8Array(100).fill(65))).toEqual(DONE);
  });

  it("keep their account right through any operations", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("append" as const),
        name: fc.constantFrom("a", "B", "b", "c:"),
        size: fc.nat(300),
      }),
      fc.record({ kind: fc.constant("set" as const), name: fc.constantFrom("a", "B", "b"), size: fc.nat(300) }),
      fc.record({ kind: fc.constant("delete" as const), name: fc.constantFrom("a", "A", "b"), size: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const held = createHeldBytes(1_500);
        const fields = new Fields(held);
        for (const { kind, name, size } of steps) {
          const before = fields.toPairs();
          const value = new Uint8Array(size).fill(65);
          const done =
            kind === "delete"
              ? fields.delete(name)
              : kind === "set"
                ? fields.set(name, [value, value])
                : fields.append(name, value);
          if (done.tag === "err") expect(fields.toPairs()).toEqual(before);
          const bytesHeld = fields.toPairs().reduce((sum, [key, text]) => sum + key.length + text.length + 32, 0);
          expect(held.left).toBe(1_500 - bytesHeld);
        }
      }),
      { numRuns: 300 },
    );
  });
});
