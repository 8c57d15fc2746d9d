/** Errors to what the user sees and what the process ends with. Pure. */
import { Fault, isFault, Reason, reasonName } from "../fault.ts";
import { RemoteFault } from "../rpc/fault-to-connect.ts";
import { CORE_ABI_MODULE } from "../runtime/abi/abi-signatures.ts";
import { hostedInterface } from "../runtime/host/hosted-interfaces.ts";
import { EXIT } from "./exit-code.ts";
import { CONTROL_PLANE_SUBJECT } from "./reach-transport.ts";

/** A failure, ready to be shown. */
export type Failure = {
  readonly exitCode: number;
  /** The reason's name without its prefix, such as `INSTANCE_NOT_FOUND`. */
  readonly reason: string;
  readonly message: string;
  /** What to do about it; empty if nothing helps but reading the message. */
  readonly hint: string;
  /** Under which the servers' logs have it; shown where only the log tells more. */
  readonly requestId: string;
};

/** What to show for `error`, which may be anything. `requestId` is the one that was sent along. */
export function failureFromError(error: unknown, requestId: string): Failure {
  if (!(error instanceof Fault)) {
    return {
      exitCode: EXIT.failure,
      reason: "INTERNAL",
      message: messageOf(error),
      hint: "set WASMATRIX_DEBUG=1 to see where it comes from",
      requestId: "",
    };
  }
  const unclear = error.reason === Reason.INTERNAL || error.reason === Reason.UNSPECIFIED;
  const remoteId = error instanceof RemoteFault && error.requestId !== "" ? error.requestId : requestId;
  return {
    exitCode: exitCodeFromFault(error),
    reason: reasonName(error.reason),
    message: error.message,
    hint: hintFor(error),
    requestId: unclear ? remoteId : "",
  };
}

/** The exit code that a fault's Connect code stands for. */
export function exitCodeFromFault(error: Fault): number {
  switch (error.code) {
    case "invalid_argument":
      return EXIT.usage;
    case "not_found":
      return EXIT.notFound;
    case "permission_denied":
    case "unauthenticated":
    case "failed_precondition":
    case "already_exists":
      return EXIT.refused;
    case "unavailable":
      return EXIT.unavailable;
    case "deadline_exceeded":
      return EXIT.timeout;
    case "resource_exhausted":
      return EXIT.exhausted;
    case "canceled":
      return EXIT.interrupted;
    case "aborted":
    case "internal":
    case "unimplemented":
    case "unknown":
      return EXIT.failure;
  }
}

const HINTS: Readonly<Partial<Record<Reason, string>>> = {
  [Reason.INSTANCE_NOT_FOUND]: "list instances with: wasmatrix ps -a",
  [Reason.INSTANCE_AMBIGUOUS]: "give more of the id; see whole ids with: wasmatrix ps -a --no-trunc",
  [Reason.INSTANCE_NAME_TAKEN]: "stop the other one, choose another --name, or leave --unique out to share the name",
  [Reason.INSTANCE_NOT_RUNNING]: "see how it ended with: wasmatrix inspect and wasmatrix logs",
  [Reason.MODULE_NOT_FOUND]: "start it from its file or URL",
  [Reason.MODULE_NOT_WASM]: "compile it to WebAssembly first; .wat text is not accepted",
  [Reason.GUEST_TRAPPED]: "see what it wrote with: wasmatrix logs",
  [Reason.CALL_TIMED_OUT]: "give it more time with: run --timeout",
  [Reason.NODE_AT_CAPACITY]: "stop something, or see free room with: wasmatrix nodes",
  [Reason.NO_NODE_FITS]: "see nodes, their state and their room with: wasmatrix nodes",
  [Reason.NODE_NOT_FOUND]: "list nodes with: wasmatrix nodes",
  [Reason.NO_WITNESS]: "see nodes with: wasmatrix nodes; two are needed for --on-node-loss restart-elsewhere",
  [Reason.NODE_CORDONED]: "let it take instances again with: wasmatrix nodes uncordon",
  [Reason.CAPABILITY_DENIED]: "see what it may do with: wasmatrix inspect, and grant more with: wasmatrix grant",
  [Reason.NOT_SHARED]:
    "share it where the node is started, with --share-folder or --share-env; see what nodes share with: wasmatrix nodes --json",
  [Reason.FUNCTION_NOT_FOUND]: "see the functions of a module with: wasmatrix inspect FILE.wasm",
  [Reason.UNAUTHENTICATED]: "give the right token by --token, WASMATRIX_TOKEN or the config file",
  [Reason.IDEMPOTENCY_CONFLICT]: "choose another --idempotency-key",
  [Reason.UNIMPLEMENTED]: "what answers there is no control plane of this version; check --address",
};

function hintFor(error: Fault): string {
  if (isFault(error, Reason.NODE_UNREACHABLE) && error.subject === CONTROL_PLANE_SUBJECT) {
    return "start one with: wasmatrix dev (or name another with --address or WASMATRIX_ADDRESS)";
  }
  if (isFault(error, Reason.CAPABILITY_DENIED) && isImport(error.subject)) {
    return "give run one flag of each pair, or write the permissions into its manifest; see narrower flags with: wasmatrix inspect FILE.wasm";
  }
  return HINTS[error.reason] ?? "";
}

/** A start that was refused for its imports has the first of them as its subject. */
function isImport(subject: string): boolean {
  return subject.startsWith(`${CORE_ABI_MODULE}.`) || hostedInterface(subject) !== undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
