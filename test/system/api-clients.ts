/** The API as independent clients see it: each speaks JSON to the test and its own protocol to the server. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import {
  fromBinary,
  fromJson,
  toJson,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createConnectTransport as createWebTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { ErrorDetailSchema } from "../../src/gen/wasmatrix/v1/error_pb.ts";
import { reasonName } from "../../src/fault.ts";

const root: string = join(import.meta.dirname, "..", "..");

/** What came of a call: messages in JSON form, or the error's code name and typed reason. */
export type ApiAnswer =
  | { readonly kind: "messages"; readonly messages: readonly JsonValue[] }
  | { readonly kind: "error"; readonly code: string; readonly reason: string };

/** A client of one protocol. */
export interface ApiClient {
  readonly name: string;
  readonly streamsIn: boolean;
  readonly streamsOut: boolean;
  /** Calls a method of ControlPlaneService with one request message, or several for a stream in. */
  call(method: string, ...requests: readonly JsonValue[]): Promise<ApiAnswer>;
  close(): void;
}

/** All clients, pointed at one server. */
export function createApiClients(baseUrl: string): readonly ApiClient[] {
  return [
    connectClient("connect-node, Connect", createConnectTransport({ baseUrl, httpVersion: "1.1" }), true),
    connectClient("connect-node, Connect over h2c", createConnectTransport({ baseUrl, httpVersion: "2" }), true),
    connectClient("connect-node, gRPC", createGrpcTransport({ baseUrl }), true),
    connectClient("connect-web, Connect", createWebTransport({ baseUrl }), false),
    connectClient("connect-web, gRPC-Web", createGrpcWebTransport({ baseUrl }), false),
    grpcJsClient(baseUrl),
    curlClient(baseUrl),
    bufCurlClient(baseUrl, "connect"),
    bufCurlClient(baseUrl, "grpc"),
    bufCurlClient(baseUrl, "grpcweb"),
  ];
}

function connectClient(name: string, transport: Transport, streamsIn: boolean): ApiClient {
  return {
    name,
    streamsIn,
    streamsOut: true,
    close: () => undefined,
    async call(methodName, ...requests) {
      const method = ControlPlaneService.methods.find((each) => each.name === methodName);
      if (method === undefined) throw new Error(`Cannot call ${methodName}: no such method`);
      try {
        if (isUnary(method)) {
          const request = fromJson(method.input, requests[0] ?? {});
          const { message } = await transport.unary(method, undefined, undefined, undefined, request);
          return { kind: "messages", messages: [toJson(method.output, message)] };
        }
        if (!isStreaming(method)) throw new Error(`Cannot call ${methodName}: its kind is unknown`);
        const input = async function* (): AsyncGenerator<Message> {
          for (const request of requests) yield fromJson(method.input, request);
        };
        const { message } = await transport.stream(method, undefined, undefined, undefined, input());
        const messages: JsonValue[] = [];
        for await (const each of message) messages.push(toJson(method.output, each));
        return { kind: "messages", messages };
      } catch (error) {
        const connectError = ConnectError.from(error);
        const detail = connectError.findDetails(ErrorDetailSchema)[0];
        return {
          kind: "error",
          code: codeName(connectError.code),
          reason: detail === undefined ? "" : reasonName(detail.reason),
        };
      }
    },
  };
}

function grpcJsClient(baseUrl: string): ApiClient {
  const definition = loadSync("wasmatrix/v1/control_plane.proto", {
    includeDirs: [join(root, "proto")],
    longs: String,
    enums: String,
    bytes: String,
    keepCase: false,
  });
  const loaded = grpc.loadPackageDefinition(definition);
  const Service = at(at(at(loaded, "wasmatrix"), "v1"), "ControlPlaneService");
  if (typeof Service !== "function") throw new Error("Cannot load ControlPlaneService from proto/");
  const client: object = Reflect.construct(Service, [new URL(baseUrl).host, grpc.credentials.createInsecure()]);
  return {
    name: "grpc-js from the .proto files",
    streamsIn: true,
    streamsOut: true,
    close: () => (client as grpc.Client).close(),
    call: (method, ...requests) =>
      new Promise((resolve) => {
        const messages: JsonValue[] = [];
        const fail = (error: grpc.ServiceError): void => {
          const detail = error.metadata.get("grpc-status-details-bin")[0];
          const reason = reasonFromStatus(detail);
          resolve({ kind: "error", code: grpcCodeName(error.code), reason });
        };
        const answer = (error: grpc.ServiceError | null, message: JsonValue): void =>
          error === null ? resolve({ kind: "messages", messages: [message] }) : fail(error);
        const invoke = (...args: readonly unknown[]): unknown =>
          Reflect.apply(at(client, method) as () => unknown, client, args);
        const kind = ControlPlaneService.methods.find((each) => each.name === method)?.methodKind;
        if (kind === "unary") invoke(requests[0] ?? {}, answer);
        else if (kind === "client_streaming") {
          const call = invoke(answer) as grpc.ClientWritableStream<JsonValue>;
          for (const request of requests) call.write(request);
          call.end();
        } else {
          const call = invoke(requests[0] ?? {}) as grpc.ClientReadableStream<JsonValue>;
          call.on("data", (message: JsonValue) => messages.push(message));
          call.on("error", fail);
          call.on("end", () => resolve({ kind: "messages", messages }));
        }
      }),
  };
}

function curlClient(baseUrl: string): ApiClient {
  return {
    name: "curl",
    streamsIn: false,
    streamsOut: false,
    close: () => undefined,
    async call(method, request) {
      const url = `${baseUrl}/${ControlPlaneService.typeName}/${method}`;
      const flags = [
        "--silent",
        "--show-error",
        "--header",
        "content-type: application/json",
        "--data",
        JSON.stringify(request ?? {}),
      ];
      const { stdout } = await execute("curl", [...flags, url]);
      return answerFromJson(stdout);
    },
  };
}

function bufCurlClient(baseUrl: string, protocol: "connect" | "grpc" | "grpcweb"): ApiClient {
  return {
    name: `buf curl, ${protocol}`,
    streamsIn: true,
    streamsOut: true,
    close: () => undefined,
    async call(method, ...requests) {
      const url = `${baseUrl}/${ControlPlaneService.typeName}/${method}`;
      const flags = ["--schema", "proto", "--protocol", protocol, "--http2-prior-knowledge", "--data", "@-"];
      const input = requests.map((request) => JSON.stringify(request)).join("\n");
      const { stdout, stderr } = await execute("buf", ["curl", ...flags, url], input);
      return stderr.includes('"code"') ? answerFromJson(stderr) : answerFromJson(stdout);
    },
  };
}

/** Reads what a command printed: one or more JSON documents, or Connect's error in JSON. */
function answerFromJson(text: string): ApiAnswer {
  const documents = text
    .trim()
    .split(/(?<=\})\s*\n(?=\{)/)
    .filter((each) => each !== "")
    .map((each) => JSON.parse(each) as Record<string, JsonValue>);
  const error = documents.find((each) => "message" in each || "details" in each);
  const code = error?.["code"];
  if (typeof code !== "string") return { kind: "messages", messages: documents };
  return {
    kind: "error",
    code,
    reason: reasonFromDetail(/"value":"([\w+/-]+)"/.exec(JSON.stringify(error))?.[1]),
  };
}

/** JSON carries the detail as the base64 of its binary form, without padding. */
function reasonFromDetail(value: string | undefined): string {
  return value === undefined ? "" : reasonName(fromBinary(ErrorDetailSchema, Buffer.from(value, "base64")).reason);
}

/** grpc-js hands the details over as bytes: a google.rpc.Status with our detail inside an Any. */
function reasonFromStatus(detail: grpc.MetadataValue | undefined): string {
  if (!Buffer.isBuffer(detail)) return "";
  const typeUrl = `type.googleapis.com/${ErrorDetailSchema.typeName}`;
  const start = detail.indexOf(typeUrl);
  if (start < 0) return "";
  // After the type URL: the tag of Any.value, its length, then ErrorDetail, whose first field is the reason.
  const value = detail.subarray(start + typeUrl.length);
  const [, , tag, reason] = value;
  return tag === 0x08 && reason !== undefined ? reasonName(reason as Parameters<typeof reasonName>[0]) : "";
}

function execute(
  command: string,
  args: readonly string[],
  input: string = "",
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
    child.on("error", reject);
    child.on("close", () => resolve({ stdout, stderr }));
    child.stdin.end(input);
  });
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function isStreaming(method: DescMethod): method is DescMethodStreaming {
  return method.methodKind !== "unary";
}

function at(value: unknown, key: string): unknown {
  return (typeof value === "object" && value !== null) || typeof value === "function"
    ? Reflect.get(value, key)
    : undefined;
}

function codeName(code: Code): string {
  return (Code[code] ?? "").replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function grpcCodeName(code: grpc.status): string {
  return (grpc.status[code] ?? "").toLowerCase();
}
