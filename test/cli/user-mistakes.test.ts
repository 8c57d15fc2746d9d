/** What a user gets wrong before anything is sent. */
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCaptured } from "./captured-io.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wasmatrix-cli-mistakes-"));
  await writeFile(join(folder, "bad.json"), '{\n  "module": "a.wasm",\n  "limits": { "memory": "64M" }\n}\n');
  await writeFile(join(folder, "empty.wasm"), "");
  await writeFile(join(folder, "text.wat"), "(module)");
  await writeFile(join(folder, "some.wasm"), "\0asm\u0001\0\0\0");
  await writeFile(join(folder, "much.txt"), new Uint8Array(1024 * 1024 + 1));
  await writeFile(join(folder, "huge.wasm"), "");
  await truncate(join(folder, "huge.wasm"), 64 * 1024 * 1024 + 1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const DIGEST = `sha256:${"a".repeat(64)}`;

test.each([
  [["pss"], "unknown command 'pss'", "did you mean ps?"],
  [["ps", "--al"], "unknown option '--al'", "did you mean --all?"],
  [["inspect"], "missing required argument 'instance-or-file'", "--help"],
  [["inspect", "a", "b"], "too many arguments", "--help"],
  [
    ["run", "a.wasm", "--memory", "64M"],
    "option '--memory <size>' argument '64M' is invalid. \"M\" is not a unit; write 64MiB",
    "--help",
  ],
  [["run", "a.wasm", "--timeout", "30"], "the unit is missing; write 30s or 30ms", "--help"],
  [["run", "a.wasm", "--timeout", "31d"], "longer than 30d; leave it out", "--help"],
  [["run", "a.wasm", "--restart", "sometimes"], "there are never, always, on-failure", "--help"],
  [["run", "a.wasm", "--allow-kv=b:fly"], '"fly" is not a permission', "--help"],
  [["run", "a.wasm", "--allow-net=https://api.example.com/v1"], "write only its host: api.example.com", "--help"],
  [["run", "a.wasm", "--allow-net=a:0"], '"0" is not a port', "--help"],
  [["run", "a.wasm", "--allow-net=a,,b"], "a host is missing between commas", "--help"],
  [["run", "a.wasm", "--allow-net=-a"], "is not a label of a domain", "--help"],
  [["run", "a.wasm", "--allow-env=A=1"], "is not the name of a variable", "--help"],
  [["run", "a.wasm", "--allow-read"], "a folder is missing; write it like --allow-read=DIR", "--help"],
  [["run", "a.wasm", "--allow-write=/a::b"], 'the guest\'s path "b" is not absolute', "--help"],
  [["run", "a.wasm", "--deny-read=/a::/b"], "a folder of the host is denied", "--help"],
  [["run", "a.wasm", "--allow-publish=orders.>.x"], "is not a topic", "--help"],
  [["grant", "a", "--allow-read"], "a folder is missing", "--help"],
  [["run", "a.wasm", "--isolation", "alone"], "Allowed choices are shared, dedicated", "--help"],
  [["run", "a.wasm", "--reuse", "some"], "Allowed choices are instance, none", "--help"],
  [["run", "a.wasm", "--call-timeout", "0"], "it must be more than 0", "--help"],
  [["run", "a.wasm", "--concurrent-calls", "two"], "a whole number from 1", "--help"],
  [["run", "a.wasm", "--output-bytes-per-minute", "fast"], "it is not a size", "--help"],
  [["run", "a.wasm", "--config", "file.json"], "file.json=VALUE", "--help"],
  [["run", "a.wasm", "--config-file", "FOLDER/none.json"], "none.json: there is no such file", ""],
  [["run", "-f", "FOLDER/none.json"], "none.json: there is no such file", ""],
  [["run", "-f", "FOLDER/bad.json"], 'bad.json:3: limits.memory: "M" is not a unit', ""],
  [["inspect", "FOLDER/none.wasm"], "there is no such file", ""],
  [["inspect", "FOLDER"], "it is a folder", ""],
  [["run"], "there is no wasmatrix.json in this folder", "wasmatrix init"],
  [["run", "a.wasm", "--env", "A"], "A=VALUE", "--help"],
  [["run", "a.wasm", "--count", "0"], "a whole number from 1 to 10000", "--help"],
  [["run", "a.wasm", "--digest", "abc"], "a digest is sha256: and 64 hex digits", "--help"],
  [["run", "a.wasm", "--unique"], "there is no name", "--name"],
  [
    ["run", "a.wasm", "--unique", "--name", "a", "--count", "2"],
    "several instances under a unique name",
    "leave --unique out",
  ],
  [["run", "a.wasm", "--backoff", "1s"], "nothing is restarted", "--restart"],
  [["run", "/nonexistent/a.wasm"], "Cannot read module /nonexistent/a.wasm: there is no such file", ""],
  [["run", "FOLDER"], "it is a folder", ""],
  [["run", "FOLDER/empty.wasm"], "it is empty", ""],
  [["run", "FOLDER/text.wat"], "it is not WebAssembly", "compile it to WebAssembly first"],
  [["run", "FOLDER/some.wasm", "--stdin", "FOLDER/none"], "Cannot read standard input", ""],
  [["run", "oci://example.com/a"], "only http and https URLs are fetched", ""],
  [["run", "sha256:abc"], 'Cannot use module "sha256:abc": a digest is sha256: and 64 hex digits', ""],
  [["run", DIGEST, "--digest", `sha256:${"b".repeat(64)}`], "--digest says another", "leave --digest out"],
  [["ps", "--state", "asleep"], "there are starting, running", "--help"],
  [["logs", "a", "-n", "0"], "a whole number from 1", "--help"],
  [["invoke", "a", "f", "1", "--args-json", "[]"], "both as words and by --args-json", "one of them"],
  [["invoke", "a", "f", "--args-json", "{"], "Cannot read --args-json", "write it like"],
  [["grant", "a"], "nothing is named", "--allow-kv"],
  [["revoke", "a"], "nothing is named", "--allow-kv"],
  [["ps", "--address", "ftp://x"], "only http and https are spoken", "write it like"],
  [["ps", "--address", "http://"], "it is not a URL", "write it like"],
  [["ps", "--token", "two words"], "Cannot use the token", ""],
  [
    ["ps", "--client-config", "/nonexistent/config.json"],
    "Cannot read config file /nonexistent/config.json: there is none",
    "",
  ],
  [["agent"], "which control plane it belongs to", "--control-plane"],
  [["agent", "--listed", "--host", "0.0.0.0"], "no address by which control planes reach it", "--advertise"],
  [["agent", "--etcd-user", "root"], "it is not said where it is", "--etcd"],
  [["cp", "--agents", "a:1,,b:2"], "a URL is missing between commas", "--help"],
  [["cp", "--suspect-after", "5s"], "nodes report every 5s only", "--report-interval"],
  [["cp", "--report-interval", "10s", "--lost-after", "12s"], "a node is suspect only after 15s", "give more"],
  [["nodes", "drain"], "Cannot drain a node: none is named", "wasmatrix nodes"],
  [["nodes", "--timeout", "1s"], "nothing is drained", "wasmatrix nodes drain"],
  [["nodes", "explode", "n1"], "Allowed choices are cordon, uncordon, drain", "--help"],
  [["cp", "--port", "70000"], "from 0 to 65535", "--help"],
  [["cp", "--log-level", "loud"], "Allowed choices are debug, info, warn, error", "--help"],
  [["cp", "--host", "0.0.0.0", "--port", "0"], "set --token or WASMATRIX_TOKEN", ""],
  [["dev", "--host", "0.0.0.0", "--port", "0"], "set --token or WASMATRIX_TOKEN", ""],
  [["completion", "tcsh"], "Allowed choices are bash, zsh, fish", "--help"],
])("%j is told in a sentence, with what helps, and ends with 2", async (argv, problem, hint) => {
  const words = argv.map((word) => word.replace("FOLDER", folder));
  const result = await runCaptured(words);
  expect(result).toMatchObject({ code: 2, stdout: "" });
  const [first = "", second = ""] = result.stderr.split("\n");
  expect(first).toMatch(/^error: /);
  expect(first).toContain(problem);
  expect(second).toContain(hint);
  expect(result.stderr).not.toMatch(/^ +at /m);
});

test.each([
  [["run", "FOLDER/some.wasm", "--stdin", "FOLDER/much.txt"], "it is larger than 1 MiB", "BODY_TOO_LARGE"],
  [["run", "FOLDER/huge.wasm"], "it is larger than 64 MiB", "MODULE_TOO_LARGE"],
])("%j is over a limit and ends with 7, as where the control plane finds it", async (argv, problem, reason) => {
  const words = argv.map((word) => word.replace("FOLDER", folder));
  const result = await runCaptured([...words, "--json"]);
  expect(result).toMatchObject({ code: 7, stdout: "" });
  expect(JSON.parse(result.stderr)).toMatchObject({
    error: { exitCode: 7, reason, message: expect.stringContaining(problem) },
  });
});

describe("a mistake", () => {
  test("is told as JSON where JSON is asked for", async () => {
    const result = await runCaptured(["ps", "--json", "--al"]);
    expect(JSON.parse(result.stderr)).toEqual({
      error: {
        exitCode: 2,
        reason: "INVALID_REQUEST",
        message: "unknown option '--al'",
        hint: "did you mean --all?",
        requestId: "",
      },
    });
  });

  test("comes with its cause only if WASMATRIX_DEBUG is set", async () => {
    const result = await runCaptured(["run", "/nonexistent/a.wasm"], { env: { WASMATRIX_DEBUG: "1" } });
    expect(result.stderr).toMatch(/^ +at /m);
  });

  test("is coloured on a terminal only, and not if NO_COLOR is set", async () => {
    expect((await runCaptured(["pss"], { isTerminal: true })).stderr).toContain("\u001b[31merror:");
    expect((await runCaptured(["pss"], { isTerminal: true, env: { NO_COLOR: "1" } })).stderr).toMatch(/^error:/);
  });
});
