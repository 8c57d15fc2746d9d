/** How failures are told that a healthy control plane does not give. */
import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { failureFromError } from "../../src/cli/failure.ts";
import { fault, Reason } from "../../src/fault.ts";
import { createJsonLog } from "../../src/log.ts";
import { closedAfterFirstWrite, runCaptured } from "./captured-io.ts";
import { instanceWith, startScripted, type Script, type ScriptedControlPlane } from "./scripted-control-plane.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function scripted(
  script: Script,
  options: Parameters<typeof startScripted>[1] = {},
): Promise<ScriptedControlPlane> {
  const controlPlane = await startScripted(script, options);
  open.push(controlPlane);
  return controlPlane;
}

describe("exit codes", () => {
  test("are documented ones for every reason", () => {
    const codes = Object.values(Reason).map((reason) => failureFromError(fault(reason, "x"), "r").exitCode);
    expect(new Set(codes)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 130]));
  });

  test.each([
    [Reason.INVALID_REQUEST, 2],
    [Reason.INSTANCE_NOT_FOUND, 3],
    [Reason.CAPABILITY_DENIED, 4],
    [Reason.UNAUTHENTICATED, 4],
    [Reason.INSTANCE_NAME_TAKEN, 4],
    [Reason.NO_NODE_FITS, 4],
    [Reason.NODE_UNREACHABLE, 5],
    [Reason.CALL_TIMED_OUT, 6],
    [Reason.NODE_AT_CAPACITY, 7],
    [Reason.GUEST_TRAPPED, 1],
    [Reason.INTERNAL, 1],
  ])("reason %i over the wire ends with %i", async (reason, code) => {
    const { url } = await scripted({
      queryInstance: () => {
        throw fault(reason, "Cannot do it: it is so");
      },
    });
    const result = await runCaptured(["inspect", "x", "--address", url]);
    expect(result).toMatchObject({
      code,
      stdout: "",
      stderr: expect.stringMatching(/^error: Cannot do it: it is so\n/),
    });
  });

  test("are 1 for a bug of this program, without a stack trace", () => {
    expect(failureFromError(new TypeError("x is not a function"), "r")).toMatchObject({
      exitCode: 1,
      reason: "INTERNAL",
      message: "x is not a function",
    });
    expect(failureFromError("a string", "r").message).toBe("a string");
  });
});

describe("an internal error", () => {
  test("comes with the request id under which the server logged it", async () => {
    const lines: string[] = [];
    const { url } = await scripted(
      {
        queryInstance: () => {
          throw new Error("secret detail");
        },
      },
      { log: createJsonLog({ write: (line) => void lines.push(line) }) },
    );
    const result = await runCaptured(["inspect", "x", "--address", url]);
    const id = /cli-[0-9a-f]{16}/.exec(result.stderr)?.[0] ?? "none";
    expect(result.code).toBe(1);
    expect(result.stderr).not.toContain("secret detail");
    expect(lines.join()).toContain(id);
    const json = await runCaptured(["inspect", "x", "--json", "--address", url]);
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { reason: "INTERNAL", requestId: expect.stringMatching(/^cli-/) },
    });
  });

  test("is what an answer without its instance is", async () => {
    const { url } = await scripted({ queryInstance: () => ({}) });
    expect(await runCaptured(["inspect", "x", "--address", url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/it holds no instance\nrequest id: cli-/),
    });
  });
});

describe("a control plane that cannot be reached", () => {
  test("is told with its address and how to start one", async () => {
    expect(await runCaptured(["ps", "--address", "http://127.0.0.1:1"])).toEqual({
      code: 5,
      stdout: "",
      stderr:
        "error: Cannot reach the control plane at http://127.0.0.1:1: connection refused\n" +
        "hint: start one with: wasmatrix dev (or name another with --address or WASMATRIX_ADDRESS)\n",
    });
  });

  test("is told for streams, too, and as a name that does not exist", async () => {
    for (const argv of [["logs", "x"], ["facts"], ["run", "http://example.invalid/a.wasm"]]) {
      expect(await runCaptured([...argv, "--address", "http://localhost:1"])).toMatchObject({
        code: 5,
        stderr: expect.stringContaining("connection refused"),
      });
    }
    const unknown = await runCaptured(["ps", "--address", "http://nosuchhost.invalid:7420"]);
    expect(unknown).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/there is no such host|cannot be looked up/),
    });
  });

  test("is told when what listens there is something else", async () => {
    const server = await listening((socket) => socket.end("SSH-2.0-Other\r\n"));
    const result = await runCaptured(["ps", "--address", server.url]);
    expect(result).toMatchObject({ code: 5, stderr: expect.stringContaining("does not speak HTTP") });
    const tls = await runCaptured(["ps", "--address", server.url.replace("http:", "https:")]);
    expect(tls).toMatchObject({ code: 5, stderr: expect.stringContaining("does not speak TLS") });
  });

  test("in the middle of a stream is told as closed", async () => {
    const server = await listening((socket) => socket.destroy());
    expect(await runCaptured(["facts", "-f", "--address", server.url])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("the connection was closed"),
    });
  });

  test("answers nothing to completion, and no error", async () => {
    expect(await runCaptured(["__complete", "instances", "--address", "http://127.0.0.1:1"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });
});

describe("a token", () => {
  const script: Script = { queryInstance: () => ({ instance: instanceWith() }) };

  test("that is right opens the door, from flag, environment or config", async () => {
    const { url } = await scripted(script, { token: "sesame-open" });
    expect((await runCaptured(["inspect", "x", "--address", url, "--token", "sesame-open"])).code).toBe(0);
    expect(
      (await runCaptured(["inspect", "x"], { env: { WASMATRIX_ADDRESS: url, WASMATRIX_TOKEN: "sesame-open" } })).code,
    ).toBe(0);
  });

  test("that is missing or wrong is refused, and never printed", async () => {
    const { url } = await scripted(script, { token: "sesame-open" });
    expect(await runCaptured(["inspect", "x", "--address", url])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("hint: give the right token"),
    });
    for (const argv of [
      ["inspect", "x"],
      ["inspect", "x", "--json"],
      ["logs", "x"],
    ]) {
      const wrong = await runCaptured([...argv, "--address", url, "--token", "wrong-secret"], {
        env: { WASMATRIX_DEBUG: "1" },
      });
      expect(wrong.code).toBe(4);
      expect(wrong.stderr + wrong.stdout).not.toContain("wrong-secret");
    }
  });
});

describe("output that nobody reads any longer", () => {
  test("ends the command quietly", async () => {
    const { url } = await scripted({ queryInstance: () => ({ instance: instanceWith() }) });
    const result = await runCaptured(["inspect", "x", "--address", url], { onStdout: closedAfterFirstWrite() });
    expect(result).toMatchObject({ code: 141, stderr: "" });
  });
});

async function listening(onConnection: (socket: Socket) => void): Promise<{ url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${String(typeof address === "object" && address !== null ? address.port : 0)}`,
  };
}
