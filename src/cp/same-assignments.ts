/** Compares what instances may do. Pure. */
import { equals } from "@bufbuild/protobuf";
import { AssignmentSchema, type Assignment } from "../gen/wasmatrix/v1/instance_pb.ts";

/** Whether two lists of assignments say the same in the same order. */
export function sameAssignments(a: readonly Assignment[], b: readonly Assignment[]): boolean {
  return a.length === b.length && a.every((each, index) => equals(AssignmentSchema, each, b[index] ?? each));
}
