// Written by scripts/generate.ts from wasmatrix/v1/error.proto; do not edit.
/* eslint-disable */

import type { Reason as WireReason } from "./wasmatrix/v1/error_pb.ts";

/**
 * Reason says why a request failed, for programs. People read the sentence that comes along.
 *
 * Each reason has exactly one Connect code (src/fault.ts). A peer that does not know a value
 * treats it as REASON_UNSPECIFIED and goes by the Connect code.
 *
 * @generated from enum wasmatrix.v1.Reason
 */
export const Reason = {
  /**
   * Unset, or a reason that is newer than the reader.
   *
   * @generated from enum value: REASON_UNSPECIFIED = 0;
   */
  UNSPECIFIED: 0,

  /**
   * A field breaks its validation rule. Code: invalid_argument.
   *
   * @generated from enum value: REASON_INVALID_REQUEST = 1;
   */
  INVALID_REQUEST: 1,

  /**
   * The bytes do not begin with the Wasm magic number. Code: invalid_argument.
   *
   * @generated from enum value: REASON_MODULE_NOT_WASM = 2;
   */
  MODULE_NOT_WASM: 2,

  /**
   * The bytes begin like Wasm but do not validate, for example because they are truncated. Code: invalid_argument.
   *
   * @generated from enum value: REASON_MODULE_MALFORMED = 3;
   */
  MODULE_MALFORMED: 3,

  /**
   * Valid Wasm of a kind that the node cannot host, or that does not support the operation. Code: failed_precondition.
   *
   * @generated from enum value: REASON_MODULE_KIND_UNSUPPORTED = 4;
   */
  MODULE_KIND_UNSUPPORTED: 4,

  /**
   * The module is larger than the limit. Code: resource_exhausted.
   *
   * @generated from enum value: REASON_MODULE_TOO_LARGE = 5;
   */
  MODULE_TOO_LARGE: 5,

  /**
   * The module imports something that no interface of ours provides. Code: failed_precondition.
   *
   * @generated from enum value: REASON_MODULE_IMPORT_UNKNOWN = 6;
   */
  MODULE_IMPORT_UNKNOWN: 6,

  /**
   * No module with this digest is held by the control plane or by a node that answers. Code: not_found.
   *
   * @generated from enum value: REASON_MODULE_NOT_FOUND = 7;
   */
  MODULE_NOT_FOUND: 7,

  /**
   * The URL of the module cannot be fetched. Code: failed_precondition.
   *
   * @generated from enum value: REASON_MODULE_UNREACHABLE = 8;
   */
  MODULE_UNREACHABLE: 8,

  /**
   * The bytes do not have the digest that was asked for. Code: failed_precondition.
   *
   * @generated from enum value: REASON_MODULE_DIGEST_MISMATCH = 9;
   */
  MODULE_DIGEST_MISMATCH: 9,

  /**
   * No instance has this id, id prefix or name. Code: not_found.
   *
   * @generated from enum value: REASON_INSTANCE_NOT_FOUND = 10;
   */
  INSTANCE_NOT_FOUND: 10,

  /**
   * The id prefix or name fits several instances. Code: invalid_argument.
   *
   * @generated from enum value: REASON_INSTANCE_AMBIGUOUS = 11;
   */
  INSTANCE_AMBIGUOUS: 11,

  /**
   * Another live instance has the name, and the request asked for a unique one. Code: already_exists.
   *
   * @generated from enum value: REASON_INSTANCE_NAME_TAKEN = 12;
   */
  INSTANCE_NAME_TAKEN: 12,

  /**
   * The instance has ended, is stopping, or waits for its next restart. Code: failed_precondition.
   *
   * @generated from enum value: REASON_INSTANCE_NOT_RUNNING = 13;
   */
  INSTANCE_NOT_RUNNING: 13,

  /**
   * A permission string is not one that the capability type has. Code: invalid_argument.
   *
   * @generated from enum value: REASON_PERMISSION_INVALID = 14;
   */
  PERMISSION_INVALID: 14,

  /**
   * The module does not export a function of this name. Code: not_found.
   *
   * @generated from enum value: REASON_FUNCTION_NOT_FOUND = 15;
   */
  FUNCTION_NOT_FOUND: 15,

  /**
   * The arguments of an invocation do not fit the function's parameters. Code: invalid_argument.
   *
   * @generated from enum value: REASON_ARGUMENT_INVALID = 16;
   */
  ARGUMENT_INVALID: 16,

  /**
   * The guest trapped, or exited, during start or during the call. Code: aborted.
   *
   * @generated from enum value: REASON_GUEST_TRAPPED = 17;
   */
  GUEST_TRAPPED: 17,

  /**
   * The guest did not answer within its time limit and was ended. Code: deadline_exceeded.
   *
   * @generated from enum value: REASON_CALL_TIMED_OUT = 18;
   */
  CALL_TIMED_OUT: 18,

  /**
   * Too many calls wait for the instance. Code: resource_exhausted.
   *
   * @generated from enum value: REASON_CALL_QUEUE_FULL = 19;
   */
  CALL_QUEUE_FULL: 19,

  /**
   * A request or response body is larger than the limit. Code: resource_exhausted.
   *
   * @generated from enum value: REASON_BODY_TOO_LARGE = 20;
   */
  BODY_TOO_LARGE: 20,

  /**
   * A limit asked for lies beyond what the node allows. Code: invalid_argument.
   *
   * @generated from enum value: REASON_LIMIT_INVALID = 21;
   */
  LIMIT_INVALID: 21,

  /**
   * The node has no room for the instance. Code: resource_exhausted.
   *
   * @generated from enum value: REASON_NODE_AT_CAPACITY = 22;
   */
  NODE_AT_CAPACITY: 22,

  /**
   * No node meets the requirements; the message counts the nodes per requirement that failed. Code: failed_precondition.
   *
   * @generated from enum value: REASON_NO_NODE_FITS = 23;
   */
  NO_NODE_FITS: 23,

  /**
   * No node has this id. Code: not_found.
   *
   * @generated from enum value: REASON_NODE_NOT_FOUND = 24;
   */
  NODE_NOT_FOUND: 24,

  /**
   * The node is known but does not answer. Code: unavailable.
   *
   * @generated from enum value: REASON_NODE_UNREACHABLE = 25;
   */
  NODE_UNREACHABLE: 25,

  /**
   * The node has no provider with this id. Code: not_found.
   *
   * @generated from enum value: REASON_PROVIDER_NOT_FOUND = 26;
   */
  PROVIDER_NOT_FOUND: 26,

  /**
   * The provider exists but is stopped. Code: failed_precondition.
   *
   * @generated from enum value: REASON_PROVIDER_STOPPED = 27;
   */
  PROVIDER_STOPPED: 27,

  /**
   * The provider's backend failed or cannot be reached. Code: unavailable.
   *
   * @generated from enum value: REASON_PROVIDER_UNAVAILABLE = 28;
   */
  PROVIDER_UNAVAILABLE: 28,

  /**
   * A key, value, page or batch is larger than the provider's limit. Code: resource_exhausted.
   *
   * @generated from enum value: REASON_PROVIDER_LIMIT = 29;
   */
  PROVIDER_LIMIT: 29,

  /**
   * The instance holds no assignment that permits the operation, or was to start with nothing said about what it imports. Code: permission_denied.
   *
   * @generated from enum value: REASON_CAPABILITY_DENIED = 30;
   */
  CAPABILITY_DENIED: 30,

  /**
   * The agent speaks a protocol version that this control plane cannot serve. Code: failed_precondition.
   *
   * @generated from enum value: REASON_PROTOCOL_VERSION_UNSUPPORTED = 31;
   */
  PROTOCOL_VERSION_UNSUPPORTED: 31,

  /**
   * The request carries no credential, or a wrong one. Code: unauthenticated.
   *
   * @generated from enum value: REASON_UNAUTHENTICATED = 32;
   */
  UNAUTHENTICATED: 32,

  /**
   * The idempotency key was used before for a different request. Code: already_exists.
   *
   * @generated from enum value: REASON_IDEMPOTENCY_CONFLICT = 33;
   */
  IDEMPOTENCY_CONFLICT: 33,

  /**
   * A page token or resume cursor cannot be read. Code: invalid_argument.
   *
   * @generated from enum value: REASON_CURSOR_INVALID = 34;
   */
  CURSOR_INVALID: 34,

  /**
   * The process is shutting down. Code: unavailable.
   *
   * @generated from enum value: REASON_SHUTTING_DOWN = 35;
   */
  SHUTTING_DOWN: 35,

  /**
   * No running instance serves HTTP under this name. Code: not_found.
   *
   * @generated from enum value: REASON_NAME_NOT_SERVED = 36;
   */
  NAME_NOT_SERVED: 36,

  /**
   * Too many streams, watchers or requests at once. Code: resource_exhausted.
   *
   * @generated from enum value: REASON_TOO_MANY_REQUESTS = 37;
   */
  TOO_MANY_REQUESTS: 37,

  /**
   * The caller gave up before the answer was there. Code: canceled.
   *
   * @generated from enum value: REASON_CANCELED = 38;
   */
  CANCELED: 38,

  /**
   * The guest's start function, or its compilation, took longer than allowed. Code: deadline_exceeded.
   *
   * @generated from enum value: REASON_START_TIMED_OUT = 39;
   */
  START_TIMED_OUT: 39,

  /**
   * A bug of ours; the log has the cause under the request id. Code: internal.
   *
   * @generated from enum value: REASON_INTERNAL = 40;
   */
  INTERNAL: 40,

  /**
   * No such method or protocol here. Code: unimplemented.
   *
   * @generated from enum value: REASON_UNIMPLEMENTED = 41;
   */
  UNIMPLEMENTED: 41,

  /**
   * The node does not share the folder or the environment variable that a permission names. Code: failed_precondition.
   *
   * @generated from enum value: REASON_NOT_SHARED = 42;
   */
  NOT_SHARED: 42,

  /**
   * The guest's message handler answered with an error. Code: aborted.
   *
   * @generated from enum value: REASON_DELIVERY_FAILED = 43;
   */
  DELIVERY_FAILED: 43,

  /**
   * The discovery store (etcd) cannot be reached. Code: unavailable.
   *
   * @generated from enum value: REASON_DISCOVERY_UNAVAILABLE = 44;
   */
  DISCOVERY_UNAVAILABLE: 44,

  /**
   * A newer generation of the instance was placed elsewhere, or another control plane was first. Code: aborted.
   *
   * @generated from enum value: REASON_GENERATION_SUPERSEDED = 45;
   */
  GENERATION_SUPERSEDED: 45,

  /**
   * The node is cordoned: it takes no new instances. Code: failed_precondition.
   *
   * @generated from enum value: REASON_NODE_CORDONED = 46;
   */
  NODE_CORDONED: 46,

  /**
   * No second node can keep the start order of an instance that is to be restarted elsewhere. Code: failed_precondition.
   *
   * @generated from enum value: REASON_NO_WITNESS = 47;
   */
  NO_WITNESS: 47,

  /**
   * What the control plane must know first has not been reported yet; retry. Code: unavailable.
   *
   * @generated from enum value: REASON_REBUILDING = 48;
   */
  REBUILDING: 48,

  /**
   * The call had begun when the thread that carried it out was lost, for a reason that is not the guest's own; it may have had
   * effects. Code: unavailable.
   *
   * @generated from enum value: REASON_CALL_INTERRUPTED = 49;
   */
  CALL_INTERRUPTED: 49,
} as const;

/** See the values. */
export type Reason = WireReason;
