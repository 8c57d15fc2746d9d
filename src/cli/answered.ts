/** Answers that must hold an instance. Pure. */
import { fault, Reason } from "../fault.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";

/** The instance of an answer; throws `INTERNAL` if a peer left it out, which none of ours does. */
export function answered(response: { readonly instance?: Instance | undefined }): Instance {
  if (response.instance === undefined) throw fault(Reason.INTERNAL, "Cannot read the answer: it holds no instance");
  return response.instance;
}
