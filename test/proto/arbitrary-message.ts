/** Arbitrary messages of any schema, made from its descriptor. */
import { create, ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import fc, { type Arbitrary } from "fast-check";

/** A fast-check arbitrary of messages of `schema`; nested messages end at `depth`. */
export function arbitraryMessage(schema: DescMessage, depth: number = 3): Arbitrary<Message> {
  const wellKnown = arbitraryWellKnown(schema);
  if (wellKnown !== undefined) return wellKnown;
  const members = schema.members.map((member) => {
    if (member.kind === "field") return setField(member, depth);
    return fc.oneof(nothing, ...member.fields.map((field) => setField(field, depth)));
  });
  return fc.tuple(...members).map((setters) => {
    const message = reflect(schema);
    for (const set of setters) set(message);
    return message.message;
  });
}

type Setter = (message: ReflectMessage) => void;

const nothing: Arbitrary<Setter> = fc.constant(() => undefined);

function setField(field: DescField, depth: number): Arbitrary<Setter> {
  if (depth === 0 && field.message !== undefined) return nothing;
  switch (field.fieldKind) {
    case "scalar":
      return optional(scalar(field.scalar).map((value) => (message) => message.set(field, value)));
    case "enum":
      return optional(enumNumber(field).map((value) => (message) => message.set(field, value)));
    case "message":
      return optional(
        arbitraryMessage(field.message, depth - 1).map((value) => (message) => {
          message.set(field, reflect(field.message, value));
        }),
      );
    case "list":
      return fc.array(element(field, depth), { maxLength: 3 }).map((values) => (message) => {
        const list = message.get(field);
        for (const value of values) list.add(value);
      });
    case "map":
      return fc.array(fc.tuple(fc.string(), element(field, depth)), { maxLength: 3 }).map((entries) => (message) => {
        const map = message.get(field);
        for (const [key, value] of entries) map.set(key, value);
      });
  }
}

function element(field: DescField, depth: number): Arbitrary<unknown> {
  const { message } = field;
  if (message !== undefined) return arbitraryMessage(message, depth - 1).map((value) => reflect(message, value));
  if (field.enum !== undefined) return enumNumber(field);
  return scalar(field.scalar ?? ScalarType.STRING);
}

function enumNumber(field: DescField): Arbitrary<number> {
  return fc.constantFrom(...(field.enum?.values ?? []).map((value) => value.number));
}

function scalar(type: ScalarType): Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return fc.string({ unit: "grapheme", maxLength: 20 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true });
    case ScalarType.INT32:
      return fc.integer();
    case ScalarType.UINT32:
      return fc.nat(0xffff_ffff);
    case ScalarType.INT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.UINT64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    default:
      throw new Error(`Cannot make values of scalar type ${String(type)}: no message of ours uses it`);
  }
}

function optional(set: Arbitrary<Setter>): Arbitrary<Setter> {
  return fc.oneof(nothing, set);
}

/** Timestamps and durations have a range, outside of which they have no JSON form. */
function arbitraryWellKnown(schema: DescMessage): Arbitrary<Message> | undefined {
  if (schema.typeName === "google.protobuf.Timestamp") {
    const range = { min: -62_135_596_800n, max: 253_402_300_799n };
    return fc.record({ seconds: fc.bigInt(range), nanos: fc.nat(999_999_999) }).map((init) => create(schema, init));
  }
  if (schema.typeName === "google.protobuf.Duration") {
    const range = { min: 0n, max: 315_576_000_000n };
    return fc.record({ seconds: fc.bigInt(range), nanos: fc.nat(999_999_999) }).map((init) => create(schema, init));
  }
  return undefined;
}
