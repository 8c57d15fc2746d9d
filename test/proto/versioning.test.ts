/** The versioning rule of proto/README.md. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, describe, expect, test } from "vitest";
import { isFault, Reason } from "../../src/fault.ts";
import { FactSchema } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { InstanceSchema } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { assertProtocolVersionServed } from "../../src/cp/served-protocol.ts";
import { PROTOCOL_VERSION } from "../../src/protocol-version.ts";

const root: string = join(import.meta.dirname, "..", "..");
const scratch: string = mkdtempSync(join(tmpdir(), "wasmatrix-breaking-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("an old peer", () => {
  test("passes on fields that it does not know", () => {
    const unknownField = 1900;
    const fromNewPeer = new BinaryWriter()
      .raw(toBinary(InstanceSchema, create(InstanceSchema, { id: "a".repeat(20) })))
      .tag(unknownField, WireType.LengthDelimited)
      .string("said by a newer peer")
      .finish();
    const passedOn = toBinary(InstanceSchema, fromBinary(InstanceSchema, fromNewPeer));
    expect(Buffer.from(passedOn).toString("latin1")).toContain("said by a newer peer");
  });

  test("keeps enum values that it does not know", () => {
    const kindField = 5;
    const fromNewPeer = new BinaryWriter().tag(kindField, WireType.Varint).int32(999).finish();
    const fact = fromBinary(FactSchema, fromNewPeer);
    expect(fact.kind).toBe(999);
    expect(fromBinary(FactSchema, toBinary(FactSchema, fact)).kind).toBe(999);
  });
});

describe("a protocol version", () => {
  test("that is too old is refused with a reason that names both versions", () => {
    expect(() => assertProtocolVersionServed(0, "node-1")).toThrow(/version 0.*version 1 and newer/);
    try {
      assertProtocolVersionServed(0, "node-1");
      expect.unreachable();
    } catch (error) {
      expect(isFault(error, Reason.PROTOCOL_VERSION_UNSUPPORTED)).toBe(true);
    }
  });

  test("that is ours or newer is served", () => {
    assertProtocolVersionServed(PROTOCOL_VERSION, "node-1");
    assertProtocolVersionServed(PROTOCOL_VERSION + 1, "node-1");
  });
});

describe("buf breaking", () => {
  test("passes for a field that is added", () => {
    expect(
      breakingAfter("uint64 denied_count = 20;", "uint64 denied_count = 20;\n  // New.\n  string added = 1000;"),
    ).toBe("");
  });

  test.each([
    ["a field that is renumbered", "uint64 denied_count = 20;", "uint64 denied_count = 21;"],
    ["a field whose type changes", "uint64 denied_count = 20;", "string denied_count = 20;"],
    ["an enum value that goes", "INSTANCE_STATE_LOST = 8;", ""],
  ])("refuses %s", (_, before, after) => {
    expect(breakingAfter(before, after)).toContain("instance.proto");
  });
});

/** What buf says of proto/ with one change in instance.proto, against proto/ as it is; empty if nothing breaks. */
function breakingAfter(before: string, after: string): string {
  const proto = join(scratch, "proto");
  cpSync(join(root, "proto"), proto, { recursive: true });
  const file = join(proto, "wasmatrix", "v1", "instance.proto");
  const text = readFileSync(file, "utf8");
  expect(text).toContain(before);
  writeFileSync(file, text.replace(before, after));
  writeFileSync(join(scratch, "buf.yaml"), readFileSync(join(root, "buf.yaml")));
  const { stdout, stderr, status } = spawnSync("buf", ["breaking", scratch, "--against", root], {
    encoding: "utf8",
    cwd: scratch,
  });
  expect([0, 100], stderr).toContain(status);
  return stdout;
}
