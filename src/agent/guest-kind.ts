/** Guest kinds in the contract and in the runtime. */
import { GuestKind as ProtoGuestKind } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { GuestKind } from "../runtime/runtime.ts";

/** The contract's word for a guest kind. */
export function protoFromGuestKind(kind: GuestKind): ProtoGuestKind {
  return TO_PROTO[kind];
}

/** The runtime's word; throws a `RangeError` for a value newer than this program. */
export function guestKindFromProto(kind: ProtoGuestKind): GuestKind {
  switch (kind) {
    case ProtoGuestKind.HTTP:
      return "http";
    case ProtoGuestKind.COMMAND:
      return "command";
    case ProtoGuestKind.FUNCTIONS:
      return "functions";
    case ProtoGuestKind.MESSAGING:
      return "messaging";
    default:
      throw new RangeError(`guest kind ${kind} is not known to this version`);
  }
}

const TO_PROTO: Readonly<Record<GuestKind, ProtoGuestKind>> = {
  http: ProtoGuestKind.HTTP,
  command: ProtoGuestKind.COMMAND,
  functions: ProtoGuestKind.FUNCTIONS,
  messaging: ProtoGuestKind.MESSAGING,
};
