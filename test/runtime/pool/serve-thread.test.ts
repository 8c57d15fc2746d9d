import { readFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { fault, Reason } from "../../../src/fault.ts";
import type { HttpRequest } from "../../../src/providers/http/http.ts";
import type { GuestHost } from "../../../src/runtime/runtime.ts";
import { recordingHost } from "../guest-starts.ts";
import { get, PROBE, request, textOf } from "../probe-guest.ts";
import { wasmFromWat } from "../wat.ts";
import { inProcess } from "./in-process.ts";
import { patientHost, TOY } from "./toy-guest.ts";

const PERMISSIONS = new Uint8Array(await readFile(new URL("../guests/permissions.wasm", import.meta.url)));

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe("a thread of the pool", () => {
  it("hosts an HTTP guest: heads, bodies both ways, errors", async () => {
    const guest = await inProcess()(PROBE);
    expect(await get(guest, "/calls")).toBe("1");
    expect(await get(guest, "/count", pieces("four", "", "five!"))).toBe("end after 9");
    const spliced = await guest.fetch(request("/splice", pieces("a".repeat(300_000), "b".repeat(300_000))));
    expect((await textOf(spliced)).length).toBe(600_000);
    expect(await spliced.trailers).toBeUndefined();
    expect((await guest.fetch(request("/error"))).status).toBe(500);
    await expect(get(guest, "/half")).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    await expect(get(guest, "/trap")).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toEqual({ kind: "trapped", message: "unreachable" });
  });

  it("gives every call of a guest that is not used again a copy, and takes it away afterwards", async () => {
    const guest = await inProcess()(PROBE, { reuse: "none", limits: { concurrentCallsMax: 2 } });
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => get(guest, "/calls")));
    expect(answers).toEqual(["1", "1", "1", "1", "1"]);
    await guest.drain(1_000);
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it("carries out what guests ask of the agent, while others go on", async () => {
    const start = inProcess();
    const host = patientHost();
    const [waiter, neighbour] = [await start(TOY, { host }), await start(TOY)];
    const waiting = waiter.invoke("wait", []);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1));
    expect(await neighbour.invoke("count", [])).toEqual([1]);
    host.letGo();
    expect(await waiting).toEqual([1]);
    expect(await waiter.invoke("turns", ["1000"])).toEqual([2]);
  });

  it("unwinds a guest that waits when it is killed, and hears nothing more of what it waited for", async () => {
    const host = patientHost();
    const guest = await inProcess()(TOY, { host });
    const waiting = guest.invoke("wait", []);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1));
    await Promise.all([guest.kill(), expect(waiting).rejects.toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING })]);
    host.letGo();
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it("leaves out a call that was withdrawn while its copy was still being opened", async () => {
    const reactor = wasmFromWat(`(module
      (import "wasmatrix" "kv_exists" (func $exists (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0))
      (func (export "_initialize") (drop (call $exists (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))))
      (func (export "count") (result i32) (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)))`);
    const host = patientHost();
    const starting = inProcess()(reactor, { host, limits: { concurrentCallsMax: 2 } });
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1));
    host.letGo();
    const guest = await starting;
    const controller = new AbortController();
    // The first call takes the copy that is there; the second gets one that waits in its initialization.
    const calls = [guest.invoke("count", []), guest.invoke("count", [], controller.signal)];
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1));
    controller.abort();
    await expect(calls[1]).rejects.toMatchObject({ reason: Reason.CANCELED });
    host.letGo();
    expect(await calls[0]).toEqual([1]);
    const both = await Promise.all([guest.invoke("count", []), guest.invoke("count", [])]);
    expect(
      both
        .flat()
        .map(Number)
        .sort((left, right) => left - right),
    ).toEqual([1, 2]);
  });

  it("asks for permission with the rights that a guest has now, and counts", async () => {
    const counts: [string, string, number][] = [];
    const host: GuestHost = { ...recordingHost(), audit: (...counted) => void counts.push(counted) };
    const guest = await inProcess()(TOY, { host, env: { NAME: "value" } });
    const following = guest.setRights({ folders: [], env: {} });
    expect(await guest.invoke("follow", [])).toEqual([1]);
    await following;
    expect(counts).toEqual([]);
  });

  it("sends requests to the outside and gives their responses, or why there is none", async () => {
    const seen: [string, string][] = [];
    const host: GuestHost = {
      ...recordingHost(),
      async http({ method, authority, pathWithQuery, body }: HttpRequest) {
        let text = "";
        if (body !== undefined) for await (const piece of body) text += Buffer.from(piece).toString();
        seen.push([`${method} ${authority}${pathWithQuery}`, text]);
        if (pathWithQuery !== "/") {
          const cause = { code: "connection-refused", message: "nobody there" };
          throw fault(Reason.PROVIDER_UNAVAILABLE, "Cannot send request: nobody there", { cause });
        }
        return { status: 203, headers: [], body: pieces("from ", "outside") };
      },
    };
    const guest = await inProcess()(PERMISSIONS, { host });
    const answer = await get(guest, "/http?url=http://example.com/");
    expect(answer).toContain("from outside");
    expect(await get(guest, "/http?url=http://example.com/gone")).toContain("refused");
    expect(seen.map(([head]) => head)).toEqual(["GET example.com/", "GET example.com/gone"]);
  });

  it("ends a guest that uses more processor time than it may, when it next leaves the processor", async () => {
    const guest = await inProcess()(TOY, { limits: { cpuTimeMaxMs: 20 } });
    expect(await guest.invoke("turns", ["1000"])).toEqual([1]);
    await expect(guest.invoke("turns", ["100000000"])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "cpuTimeMaxMs" });
  });

  it("says why a guest could not be instantiated", async () => {
    const start = inProcess();
    const trapping = wasmFromWat(`(module (func $f unreachable) (start $f) (func (export "f")))`);
    await expect(start(trapping)).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    const waiting = wasmFromWat(`(module
      (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      (func $f (drop (call $yield))) (start $f) (memory (export "memory") 1) (func (export "f")))`);
    await expect(start(waiting)).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
  });

  it("runs a command to its end, with what it writes", async () => {
    const hello = wasmFromWat(`(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (data (i32.const 16) "hello\\n")
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $exit (i32.const 4))))`);
    const host = recordingHost();
    const guest = await inProcess()(hello, { host });
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 4 });
    expect(host.written.stdout).toBe("hello\n");
  });
});
