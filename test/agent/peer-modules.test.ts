import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/agent/module-store.ts";
import { createPeerModules, type PeerModules } from "../../src/agent/peer-modules.ts";
import { fault, Reason } from "../../src/fault.ts";
import { NodeAgentService } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { silentLog } from "../../src/log.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

const MODULE = new TextEncoder().encode("a module");
const DIGEST = digestOf(MODULE);

type Peer = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

function create(peers: Readonly<Record<string, Peer>>): {
  readonly peerModules: PeerModules;
  readonly held: Map<string, Uint8Array>;
  readonly asked: string[];
  readonly clock: VirtualClock;
} {
  const held = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const clock = createVirtualClock();
  const dial = (address: string): Transport =>
    createRouterTransport((router) =>
      router.service(NodeAgentService, {
        async *pullModule(_, { signal }) {
          asked.push(address);
          const peer = peers[address];
          if (peer === undefined) throw fault(Reason.MODULE_NOT_FOUND, "Cannot read module: it is not here");
          for await (const chunk of peer(signal)) yield { chunk };
        },
      }),
    );
  const store = {
    touch: async (digest: string) => held.has(digest),
    async put(digest: string, chunks: AsyncIterable<Uint8Array>) {
      const pieces: Uint8Array[] = [];
      for await (const chunk of chunks) pieces.push(chunk);
      const bytes = Buffer.concat(pieces);
      if (digestOf(bytes) !== digest) throw fault(Reason.MODULE_DIGEST_MISMATCH, "Cannot keep module: other bytes");
      held.set(digest, bytes);
      return { sizeBytes: bytes.length };
    },
  };
  return { peerModules: createPeerModules({ store, dial, clock, log: silentLog }), held, asked, clock };
}

const giving: Peer = async function* () {
  yield MODULE.subarray(0, 3);
  yield MODULE.subarray(3);
};
const lying: Peer = async function* () {
  yield new TextEncoder().encode("another one");
};
const silent: Peer = async function* (signal) {
  yield MODULE.subarray(0, 3);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
};

describe("a module that peers hold", () => {
  test("comes from the first that has it", async () => {
    const { peerModules, held, asked } = create({ "http://b": giving, "http://c": giving });
    await peerModules.fetch(DIGEST, ["http://a", "http://b", "http://c"]);
    expect(held.get(DIGEST)).toEqual(Buffer.from(MODULE));
    expect(asked).toEqual(["http://a", "http://b"]);
  });

  test("is taken by its digest alone: who gives other bytes is passed over", async () => {
    const { peerModules, held } = create({ "http://a": lying, "http://b": giving });
    await peerModules.fetch(DIGEST, ["http://a"]);
    expect(held.size).toBe(0);
    await peerModules.fetch(DIGEST, ["http://a", "http://b"]);
    expect(held.has(DIGEST)).toBe(true);
  });

  test("is not asked for if it is here, or if no peer is named; addresses that are none are passed over", async () => {
    const { peerModules, held, asked } = create({ "http://b": giving });
    await peerModules.fetch(DIGEST, []);
    await peerModules.fetch(DIGEST, ["nonsense", "file:///etc/passwd", "http://b"]);
    await peerModules.fetch(DIGEST, ["http://b"]);
    expect(asked).toEqual(["http://b"]);
    expect(held.size).toBe(1);
  });

  test("is fetched once for however many ask", async () => {
    const { peerModules, asked } = create({ "http://b": giving });
    await Promise.all(Array.from({ length: 20 }, () => peerModules.fetch(DIGEST, ["http://b"])));
    expect(asked).toEqual(["http://b"]);
  });

  test("comes from the next peer when one falls silent in its midst", async () => {
    const { peerModules, held, clock } = create({ "http://a": silent, "http://b": giving });
    const fetched = peerModules.fetch(DIGEST, ["http://a", "http://b"]);
    await clock.advance(4_000);
    expect(held.size).toBe(0);
    await clock.advance(2_000);
    await fetched;
    expect(held.has(DIGEST)).toBe(true);
  });

  test("is left to the control plane when peers take too long, or too many fetches are under way", async () => {
    const peers = {
      "http://a": silent,
      "http://b": silent,
      "http://c": silent,
      "http://d": giving,
      "http://e": giving,
    };
    const { peerModules, held, asked, clock } = create(peers);
    const slow = peerModules.fetch(DIGEST, ["http://a", "http://b", "http://c", "http://a", "http://d"]);
    await clock.advance(60_000);
    await slow;
    expect(held.size).toBe(0);
    expect(asked).not.toContain("http://d");
    const others = Array.from({ length: 4 }, (_, index) => peerModules.fetch(`sha256:${index}`, ["http://a"]));
    await peerModules.fetch(DIGEST, ["http://e"]);
    expect(held.size).toBe(0);
    await clock.advance(60_000);
    await Promise.all(others);
    await peerModules.fetch(DIGEST, ["http://e"]);
    expect(held.size).toBe(1);
  });
});
