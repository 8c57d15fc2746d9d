import { equals, fromBinary, fromJson, toBinary, toJson, type DescFile, type DescMessage } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { file_wasmatrix_v1_control_plane } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { file_wasmatrix_v1_error } from "../../src/gen/wasmatrix/v1/error_pb.ts";
import { file_wasmatrix_v1_fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { file_wasmatrix_v1_instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { file_wasmatrix_v1_node_agent } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { file_wasmatrix_v1_node } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { arbitraryMessage } from "./arbitrary-message.ts";

const files: readonly DescFile[] = [
  file_wasmatrix_v1_control_plane,
  file_wasmatrix_v1_error,
  file_wasmatrix_v1_fact,
  file_wasmatrix_v1_instance,
  file_wasmatrix_v1_node_agent,
  file_wasmatrix_v1_node,
];
const schemas: readonly DescMessage[] = files.flatMap((file) => file.messages);

describe("every message of the contract", () => {
  test.each(schemas.map((schema) => [schema.name, schema] as const))("%s survives binary and JSON", (_, schema) => {
    fc.assert(
      fc.property(arbitraryMessage(schema), (message) => {
        expect(equals(schema, fromBinary(schema, toBinary(schema, message)), message)).toBe(true);
        expect(equals(schema, fromJson(schema, toJson(schema, message)), message)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
