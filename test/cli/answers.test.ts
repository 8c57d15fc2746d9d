/** How answers are shown that a healthy fleet gives rarely. */
import { fromJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, test } from "vitest";
import { factLine } from "../../src/cli/commands/facts.ts";
import { detailsOf } from "../../src/cli/instance-details.ts";
import { Interrupt } from "../../src/cli/cli-io.ts";
import { enumFromWord, wordFromEnum } from "../../src/cli/enum-word.ts";
import { stateText } from "../../src/cli/instance-text.ts";
import { outcomeOf } from "../../src/cli/wait-for-instance.ts";
import { fault, Reason } from "../../src/fault.ts";
import { FactKind, FactSchema } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import {
  GuestKind,
  InstanceSchema,
  InstanceState,
  InstanceStateSchema,
  LogStream,
  RestartMode,
  TerminationCause,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { runCaptured } from "./captured-io.ts";
import { instanceWith, startScripted, type Script } from "./scripted-control-plane.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function urlOf(script: Script): Promise<string> {
  const controlPlane = await startScripted(script);
  open.push(controlPlane);
  return controlPlane.url;
}

const DIGEST = `sha256:${"a".repeat(64)}`;

describe("ps", () => {
  test("joins pages, and says when the list may be incomplete", async () => {
    const address = await urlOf({
      listInstances: ({ pageToken }) => ({
        instances: [instanceWith({ id: pageToken === "" ? "aaaaaaaa000000000000" : "bbbbbbbb000000000000" })],
        nextPageToken: pageToken === "" ? "2" : "",
        rebuilding: true,
      }),
    });
    const result = await runCaptured(["ps", "--address", address]);
    expect(result.stdout).toMatch(/^ID .*\naaaaaaaa .*\nbbbbbbbb .*\n$/);
    expect(result.stderr).toContain("may be incomplete");
    const json: unknown = JSON.parse((await runCaptured(["ps", "--json", "--address", address])).stdout);
    expect(json).toMatchObject({ instances: [{}, {}], nextPageToken: "", rebuilding: true });
  });

  test("shows names and messages of others without their control characters, and colours only on a terminal", async () => {
    const address = await urlOf({ listInstances: () => ({ instances: [instanceWith({ name: "a\u001b[2J" })] }) });
    expect((await runCaptured(["ps", "--address", address])).stdout).not.toContain("\u001b");
    expect((await runCaptured(["ps", "--address", address], { isTerminal: true })).stdout).toContain(
      "\u001b[32mrunning\u001b[0m",
    );
    const quiet = await runCaptured(["ps", "--address", address], { isTerminal: true, env: { NO_COLOR: "1" } });
    expect(quiet.stdout).not.toContain("\u001b");
  });
});

describe("logs", () => {
  test("keep stdout and stderr apart and say where lines were dropped", async () => {
    const line = (sequence: bigint, stream: LogStream, text: string): object => ({
      instanceId: "x",
      sequence,
      stream,
      text,
    });
    const address = await urlOf({
      async *tailLogs() {
        yield { lines: [] };
        yield {
          lines: [
            line(1n, LogStream.STDOUT, "one"),
            line(5n, LogStream.STDERR, "five"),
            line(1n, LogStream.STDOUT, "anew"),
          ],
        };
      },
    });
    expect(await runCaptured(["logs", "x", "--address", address])).toEqual({
      code: 0,
      stdout: "one\nanew\n",
      stderr: "note: 3 lines were dropped here\nfive\n",
    });
    const json = await runCaptured(["logs", "x", "--json", "--address", address]);
    expect(
      json.stdout
        .trim()
        .split("\n")
        .map((text): unknown => JSON.parse(text)),
    ).toMatchObject([{ text: "one" }, { stream: "LOG_STREAM_STDERR" }, { sequence: "1" }]);
  });
});

describe("facts", () => {
  test("say where there is a gap, and show providers and sentences", async () => {
    const address = await urlOf({
      async *watchFacts() {
        yield {
          gap: true,
          facts: [
            {
              nodeId: "n",
              epoch: "e",
              sequence: 1n,
              kind: FactKind.PROVIDER_STOPPED,
              provider: { id: "kv" },
              message: "Stopped",
            },
          ],
        };
      },
    });
    expect(await runCaptured(["facts", "--address", address])).toEqual({
      code: 0,
      stdout: "n  provider-stopped        kv  Stopped\n",
      stderr: "note: some facts in between are no longer remembered\n",
    });
  });

  test("of a kind that is newer than this program are shown all the same", () => {
    const fact = fromJson(FactSchema, { nodeId: "n", kind: 999, message: "new" });
    expect(factLine(fact, { paint: (_tone, text) => text, whole: false })).toMatch(/^n {2}\?999 +new$/);
  });
});

describe("nodes", () => {
  test("that are suspect, lost or stopped show it; none at all comes with how to start one", async () => {
    const states = [NodeState.SUSPECT, NodeState.LOST, NodeState.LEFT];
    const address = await urlOf({
      listNodes: () => ({
        nodes: states.map((state) => ({ info: { nodeId: `n-${String(state)}` }, state, rebuilding: true })),
      }),
    });
    const { stdout } = await runCaptured(["nodes", "--address", address], { isTerminal: true });
    expect(stdout).toContain("suspect (rebuilding)");
    expect(stdout).toContain("\u001b[31mlost (rebuilding)\u001b[0m");
    const empty = await urlOf({ listNodes: () => ({}) });
    expect((await runCaptured(["nodes", "--address", empty])).stderr).toContain(
      `wasmatrix agent --control-plane ${empty}`,
    );
  });
});

describe("run --count", () => {
  test("says how many run and which failed, alike failures together", async () => {
    const keys: string[] = [];
    const address = await urlOf({
      startInstance: ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        if (/-[24]$/.test(idempotencyKey)) throw fault(Reason.NODE_AT_CAPACITY, "Cannot start instance: node is full");
        return { instance: instanceWith({ id: `id${keys.length}` }) };
      },
    });
    const result = await runCaptured(["run", DIGEST, "--count", "5", "--idempotency-key", "k", "--address", address]);
    expect(result.code).toBe(7);
    expect(result.stdout.trim().split("\n")).toHaveLength(3);
    expect(result.stderr).toContain("3 started, 2 failed (#2, #4: Cannot start instance: node is full)");
    expect(keys.toSorted()).toEqual(["k-1", "k-2", "k-3", "k-4", "k-5"]);
    const json: unknown = JSON.parse(
      (await runCaptured(["run", DIGEST, "--count", "2", "--idempotency-key", "k", "--json", "--address", address]))
        .stdout,
    );
    expect(json).toMatchObject({
      instances: [{}],
      failed: [{ idempotencyKey: "k-2", error: { reason: "NODE_AT_CAPACITY" } }],
    });
  });
});

describe("run", () => {
  test("sends what the flags say", async () => {
    const requests: unknown[] = [];
    const address = await urlOf({
      startInstance: (request) => {
        requests.push(request);
        return { instance: instanceWith() };
      },
    });
    const flags = [
      "--name",
      "hello",
      "--unique",
      "--label",
      "a=1",
      "--allow-kv",
      "--allow-kv=b:read@kv-memory",
      "--env",
      "A=1",
      "--env",
      "B=",
      "--arg",
      "--allow-kv",
      "--arg",
      "-v",
      "--restart",
      "on-failure:3",
      "--backoff",
      "250ms",
      "--memory",
      "32MiB",
      "--timeout",
      "5s",
      "--node",
      "n-1",
      "--node-label",
      "zone=eu",
      "--idempotency-key",
      "key",
    ];
    const result = await runCaptured(["run", ...flags, DIGEST, "--address", address]);
    expect(result).toMatchObject({ code: 0, stdout: "abcdefgh0123456789xy\n" });
    expect(requests).toMatchObject([
      {
        idempotencyKey: "key",
        uniqueName: true,
        nodeId: "n-1",
        nodeLabels: { zone: "eu" },
        module: { source: { case: "digest", value: DIGEST } },
        spec: {
          name: "hello",
          labels: { a: "1" },
          env: { A: "1", B: "" },
          args: ["--allow-kv", "-v"],
          assignments: [
            { bucket: "", permissions: ["kv:read", "kv:write", "kv:delete"], providerId: "" },
            { bucket: "b", permissions: ["kv:read"], providerId: "kv-memory" },
          ],
          restartPolicy: { mode: RestartMode.ON_FAILURE, maxRetries: 3, backoff: { seconds: 0n, nanos: 250_000_000 } },
          limits: { memoryMaxBytes: 33_554_432n, callTimeoutMs: 5000, commandTimeoutMs: 5000 },
        },
      },
    ]);
  });

  test("of a URL has the control plane fetch it, with the digest that it must have", async () => {
    const sources: unknown[] = [];
    const address = await urlOf({
      startInstance: ({ module }) => {
        sources.push(module?.source);
        return { instance: instanceWith({ kind: GuestKind.FUNCTIONS }) };
      },
    });
    await runCaptured(["run", "https://example.com/a.wasm", "--digest", DIGEST, "--address", address]);
    expect(sources).toMatchObject([{ case: "url", value: { url: "https://example.com/a.wasm", digest: DIGEST } }]);
  });

  test("waits until a server runs, and tells one that fails first", async () => {
    const states = [InstanceState.BACKOFF, InstanceState.RUNNING];
    const address = await urlOf({
      startInstance: () => ({ instance: instanceWith({ state: InstanceState.STARTING }) }),
      queryInstance: () => ({ instance: instanceWith({ state: states.shift() ?? InstanceState.FAILED }) }),
    });
    expect((await runCaptured(["run", DIGEST, "--wait", "--address", address])).code).toBe(0);
    expect(await runCaptured(["run", DIGEST, "--wait", "--address", address])).toMatchObject({
      code: 1,
      stderr: 'error: Instance "hello" failed\n',
    });
  });

  test("leaves what it waited for running if the connection breaks, and says so", async () => {
    const address = await urlOf({
      startInstance: () => ({ instance: instanceWith({ kind: GuestKind.COMMAND }) }),
      async *tailLogs() {
        yield { lines: [] };
        throw fault(Reason.NODE_UNREACHABLE, 'Cannot read logs: node "node-1" does not answer');
      },
    });
    const result = await runCaptured(["run", DIGEST, "--wait", "--address", address]);
    expect(result).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("note: still there: abcdefgh0123456789xy"),
    });
  });
});

describe("Ctrl-C", () => {
  test("during a start says how to get that instance, and leaves none behind that it knows of", async () => {
    const controller = new AbortController();
    const stopped: string[] = [];
    const address = await urlOf({
      startInstance: async ({ idempotencyKey }, { signal }) => {
        if (idempotencyKey === "k-1") return { instance: instanceWith() };
        controller.abort(new Interrupt("SIGINT"));
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw fault(Reason.CANCELED, "Given up");
      },
      stopInstance: ({ instance }) => {
        stopped.push(instance);
        return { instance: instanceWith({ state: InstanceState.STOPPED }) };
      },
    });
    const argv = ["run", DIGEST, "--count", "2", "--idempotency-key", "k", "--address", address];
    const result = await runCaptured(argv, { signal: controller.signal });
    expect(result).toMatchObject({
      code: 130,
      stdout: "",
      stderr: expect.stringContaining("run it again with --idempotency-key k "),
    });
    // The first start may have been cut off, too, before its answer was here.
    expect(stopped.length).toBeLessThanOrEqual(1);
  });

  test("during a stop ends it without blaming anyone", async () => {
    const controller = new AbortController();
    const address = await urlOf({
      stopInstance: async (_request, { signal }) => {
        controller.abort(new Interrupt("SIGTERM"));
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw fault(Reason.CANCELED, "Given up");
      },
    });
    expect(await runCaptured(["stop", "a", "b", "--address", address], { signal: controller.signal })).toMatchObject({
      code: 143,
      stderr: "",
    });
  });
});

describe("stop", () => {
  test("of several tells each failure once and ends with the first", async () => {
    const address = await urlOf({
      stopInstance: ({ instance }) => {
        if (instance === "good") return { instance: instanceWith({ id: "good" }) };
        throw fault(
          instance === "a" ? Reason.INSTANCE_NOT_FOUND : Reason.NODE_UNREACHABLE,
          `Cannot stop "${instance}": it is so`,
        );
      },
    });
    const result = await runCaptured(["stop", "a", "good", "b", "--address", address]);
    expect(result).toEqual({
      code: 3,
      stdout: "good\n",
      stderr:
        'error: Cannot stop "b": it is so\nerror: Cannot stop "a": it is so\nhint: list instances with: wasmatrix ps -a\n',
    });
  });
});

describe("an instance in words", () => {
  const nowMs = 1_000_000;
  type Changes = Parameters<typeof instanceWith>[0];
  const end = (cause: TerminationCause, more: object = {}): Changes => ({ lastTermination: { cause, ...more } });

  test("has a state with what matters about it", () => {
    const text = (changes: Changes): string => stateText(instanceWith(changes), nowMs);
    expect(text({ state: InstanceState.FAILED, ...end(TerminationCause.EXITED, { exitCode: 3 }) })).toBe(
      "failed (exit 3)",
    );
    expect(text({ state: InstanceState.FAILED, ...end(TerminationCause.START_FAILED) })).toBe("failed (start-failed)");
    expect(text({ state: InstanceState.FAILED })).toBe("failed");
    expect(text({ state: InstanceState.BACKOFF, nextRestartTime: timestampFromMs(nowMs + 4000) })).toBe(
      "backoff (again in 4s)",
    );
    expect(text({ state: InstanceState.UNKNOWN, observedTime: timestampFromMs(nowMs - 40_000) })).toBe(
      "unknown (seen 40s ago)",
    );
    expect(stateText(fromJson(InstanceSchema, { state: 99 }), nowMs)).toBe("?99");
  });

  test("comes out with an exit code and, if it did not go well, a sentence", () => {
    const outcome = (changes: Changes): unknown[] => Object.values(outcomeOf(instanceWith(changes)));
    const failed = (cause: TerminationCause, more: object = {}): unknown[] =>
      outcome({ state: InstanceState.FAILED, ...end(cause, more) });
    expect(outcome({ state: InstanceState.RUNNING })).toEqual([0, ""]);
    expect(outcome({ state: InstanceState.EXITED, ...end(TerminationCause.EXITED) })).toEqual([0, ""]);
    expect(failed(TerminationCause.EXITED, { exitCode: 3 })).toEqual([3, ""]);
    expect(failed(TerminationCause.EXITED, { exitCode: -1 })).toEqual([255, ""]);
    expect(failed(TerminationCause.EXITED, { exitCode: 512 })).toEqual([1, ""]);
    expect(failed(TerminationCause.LIMIT, { limit: "memory_max_bytes" })).toEqual([
      7,
      'Instance "hello" failed (limit memory_max_bytes)',
    ]);
    expect(failed(TerminationCause.LIMIT, { limit: "call_timeout_ms" })[0]).toBe(6);
    expect(failed(TerminationCause.TRAPPED, { message: "unreachable" })).toEqual([
      1,
      'Instance "hello" failed (trapped): unreachable',
    ]);
    expect(outcome({ state: InstanceState.STOPPED })).toEqual([1, 'Instance "hello" was stopped']);
    expect(
      outcome({ state: InstanceState.LOST, ...end(TerminationCause.AGENT_LOST, { message: "power cut" }) }),
    ).toEqual([5, 'Instance "hello" was lost with its node: power cut']);
  });

  test("has details even if little is known", () => {
    const details = new Map(detailsOf(instanceWith({ name: "", limits: {}, createTime: undefined }), nowMs));
    expect(details.get("name")).toBe("-");
    expect(details.get("created")).toBe("-");
    expect(details.get("limits")).toEqual(expect.arrayContaining([expect.stringMatching(/^memory +none$/)]));
  });

  test("has states that are read back from their words", () => {
    for (const state of Object.values(InstanceState)) {
      if (state !== 0)
        expect(enumFromWord(InstanceStateSchema, InstanceState, wordFromEnum(InstanceStateSchema, state))).toBe(state);
    }
  });
});
