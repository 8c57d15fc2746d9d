/** The interfaces of `wasi:http` that a guest imports. `http-outparam.ts` calls the one that it exports. */
import type { HostInterface, HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";
import type { GivingWay } from "./giving-way.ts";
import { createHeldBytes, type HeldBytes } from "./held-bytes.ts";
import type { ErrorCode } from "./http-error-code.ts";
import { sendRequest, type FutureIncomingResponse } from "./http-client.ts";
import { Fields } from "./http-fields.ts";
import type { FutureTrailers, IncomingBody, IncomingRequest, IncomingResponse, NamedVariant } from "./http-incoming.ts";
import { OutgoingRequest, OutgoingResponse, RequestOptions, type OutgoingBody } from "./http-outgoing.ts";
import type { ResponseOutparam } from "./http-outparam.ts";
import type { IoError } from "./io-error.ts";
import { Pollable } from "./pollable.ts";
import { DONE, type WitResult } from "./wit-result.ts";

/** `types` and `outgoing-handler`. */
export function httpInterfaces(line: GuestLine, giveWay: GivingWay): HostInterfaces {
  return {
    "wasi:http/types": typesInterface(createHeldBytes(), giveWay),
    "wasi:http/outgoing-handler": {
      functions: {
        handle: (request: OutgoingRequest, options: RequestOptions | undefined) => sendRequest(line, request, options),
      },
    },
  };
}

function typesInterface(held: HeldBytes, giveWay: GivingWay): HostInterface {
  return {
    functions: {
      "http-error-code": (error: IoError) => error.codes.http,
      ...fieldsFunctions(held),
      ...incomingFunctions(held, giveWay),
      ...outgoingFunctions(held),
      ...requestFunctions(held),
    },
    suspending: ["[method]future-trailers.get", "[method]future-incoming-response.get"],
    resources: {
      fields: { drop: (fields: Fields) => fields.drop() },
      "incoming-request": {},
      "incoming-response": { drop: (response: IncomingResponse) => response.drop() },
      "incoming-body": { drop: (body: IncomingBody) => body.drop() },
      "future-trailers": { drop: (trailers: FutureTrailers) => trailers.drop() },
      "outgoing-response": { drop: (response: OutgoingResponse) => response.drop() },
      "outgoing-request": { drop: (request: OutgoingRequest) => request.drop() },
      "outgoing-body": { drop: (body: OutgoingBody) => body.abandon("the guest has dropped the body unfinished") },
      "response-outparam": {},
      "request-options": {},
      "future-incoming-response": { drop: (future: FutureIncomingResponse) => future.drop() },
    },
  };
}

function fieldsFunctions(held: HeldBytes): HostInterface["functions"] {
  return {
    "[constructor]fields": () => new Fields(held),
    "[static]fields.from-list": (entries: readonly (readonly [string, Uint8Array])[]) => Fields.fromList(held, entries),
    "[method]fields.get": (fields: Fields, name: string) => fields.get(name),
    "[method]fields.has": (fields: Fields, name: string) => fields.has(name),
    "[method]fields.set": (fields: Fields, name: string, values: readonly Uint8Array[]) => fields.set(name, values),
    "[method]fields.delete": (fields: Fields, name: string) => fields.delete(name),
    "[method]fields.append": (fields: Fields, name: string, value: Uint8Array) => fields.append(name, value),
    "[method]fields.entries": (fields: Fields) => fields.entries(),
    "[method]fields.clone": (fields: Fields) => fields.clone(),
  };
}

function incomingFunctions(held: HeldBytes, giveWay: GivingWay): HostInterface["functions"] {
  return {
    "[method]incoming-request.method": (request: IncomingRequest) => request.method(),
    "[method]incoming-request.path-with-query": (request: IncomingRequest) => request.pathWithQuery(),
    "[method]incoming-request.scheme": (request: IncomingRequest) => request.scheme(),
    "[method]incoming-request.authority": (request: IncomingRequest) => request.authority(),
    "[method]incoming-request.headers": (request: IncomingRequest) => request.headers(held),
    "[method]incoming-request.consume": (request: IncomingRequest) => request.consume(),
    "[method]incoming-response.status": (response: IncomingResponse) => response.status,
    "[method]incoming-response.headers": (response: IncomingResponse) => response.headers(held),
    "[method]incoming-response.consume": (response: IncomingResponse) => response.consume(),
    "[method]incoming-body.stream": (body: IncomingBody) => body.stream(),
    "[static]incoming-body.finish": (body: IncomingBody) => body.finish(),
    "[method]future-trailers.subscribe": (trailers: FutureTrailers) => new Pollable(trailers.readiness),
    "[method]future-trailers.get": (trailers: FutureTrailers) => trailers.get(held, giveWay),
    "[method]future-incoming-response.subscribe": (future: FutureIncomingResponse) => new Pollable(future.readiness),
    "[method]future-incoming-response.get": (future: FutureIncomingResponse) => future.get(giveWay),
  };
}

function outgoingFunctions(held: HeldBytes): HostInterface["functions"] {
  return {
    "[constructor]outgoing-response": (headers: Fields) => new OutgoingResponse(held, headers),
    "[method]outgoing-response.status-code": (response: OutgoingResponse) => response.status,
    "[method]outgoing-response.set-status-code": (response: OutgoingResponse, status: number) =>
      response.setStatusCode(status),
    "[method]outgoing-response.headers": (response: OutgoingResponse) => response.headers,
    "[method]outgoing-response.body": (response: OutgoingResponse) => response.body(),
    "[method]outgoing-body.write": (body: OutgoingBody) => body.write(),
    "[static]outgoing-body.finish": (body: OutgoingBody, trailers: Fields | undefined) => body.finish(trailers),
    "[static]response-outparam.set": (outparam: ResponseOutparam, response: WitResult<OutgoingResponse, ErrorCode>) =>
      outparam.set(response),
    "[method]response-outparam.send-informational": (outparam: ResponseOutparam, status: number, headers: Fields) =>
      outparam.sendInformational(status, headers),
  };
}

function requestFunctions(held: HeldBytes): HostInterface["functions"] {
  return {
    "[constructor]outgoing-request": (headers: Fields) => new OutgoingRequest(held, headers),
    "[method]outgoing-request.body": (request: OutgoingRequest) => request.body(),
    "[method]outgoing-request.method": (request: OutgoingRequest) => request.method,
    "[method]outgoing-request.set-method": (request: OutgoingRequest, method: NamedVariant) =>
      request.setMethod(method),
    "[method]outgoing-request.path-with-query": (request: OutgoingRequest) => request.pathWithQuery,
    "[method]outgoing-request.set-path-with-query": (request: OutgoingRequest, path: string | undefined) =>
      request.setPathWithQuery(path),
    "[method]outgoing-request.scheme": (request: OutgoingRequest) => request.scheme,
    "[method]outgoing-request.set-scheme": (request: OutgoingRequest, scheme: NamedVariant | undefined) =>
      request.setScheme(scheme),
    "[method]outgoing-request.authority": (request: OutgoingRequest) => request.authority,
    "[method]outgoing-request.set-authority": (request: OutgoingRequest, authority: string | undefined) =>
      request.setAuthority(authority),
    "[method]outgoing-request.headers": (request: OutgoingRequest) => request.headers,
    "[constructor]request-options": () => new RequestOptions(),
    "[method]request-options.connect-timeout": (options: RequestOptions) => options.connectTimeoutNs,
    "[method]request-options.set-connect-timeout": (options: RequestOptions, ns: bigint | undefined) => {
      options.connectTimeoutNs = ns;
      return DONE;
    },
    "[method]request-options.first-byte-timeout": (options: RequestOptions) => options.firstByteTimeoutNs,
    "[method]request-options.set-first-byte-timeout": (options: RequestOptions, ns: bigint | undefined) => {
      options.firstByteTimeoutNs = ns;
      return DONE;
    },
    "[method]request-options.between-bytes-timeout": (options: RequestOptions) => options.betweenBytesTimeoutNs,
    "[method]request-options.set-between-bytes-timeout": (options: RequestOptions, ns: bigint | undefined) => {
      options.betweenBytesTimeoutNs = ns;
      return DONE;
    },
  };
}
