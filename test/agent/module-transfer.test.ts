import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { pushModule, type PushDeps } from "../../src/agent/services/module-transfer.ts";
import { fault, Reason } from "../../src/fault.ts";
import { PushModuleRequestSchema, type PushModuleRequest } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { createSlots } from "../../src/rpc/slots.ts";
import { createVirtualClock, settle } from "./virtual-clock.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const chunk = new Uint8Array(3);

function setUp(placesMax: number) {
  const clock = createVirtualClock();
  const slots = createSlots(placesMax, "pushes");
  const store: PushDeps["store"] = {
    async put(_, chunks) {
      let sizeBytes = 0;
      for await (const each of chunks) sizeBytes += each.length;
      return { sizeBytes };
    },
  };
  const gone = new AbortController();
  const push = (messages: AsyncIterable<PushModuleRequest>) =>
    pushModule({ store, clock, slots, signal: gone.signal }, messages);
  return { clock, gone, push };
}

async function* whole(): AsyncGenerator<PushModuleRequest> {
  yield create(PushModuleRequestSchema, { digest: DIGEST, chunk });
  yield create(PushModuleRequestSchema, { chunk });
}

async function* stalled(): AsyncGenerator<PushModuleRequest> {
  yield create(PushModuleRequestSchema, { digest: DIGEST, chunk });
  await new Promise(() => undefined);
}

const tooMany = expect.objectContaining({ reason: Reason.TOO_MANY_REQUESTS });

describe("taking pushed modules", () => {
  test("as many as there are places are taken at once, and one more is refused", async () => {
    const { push } = setUp(2);
    await expect(Promise.all([push(whole()), push(whole())])).resolves.toMatchObject([
      { digest: DIGEST, sizeBytes: 6n },
      { digest: DIGEST, sizeBytes: 6n },
    ]);
    void push(stalled()).catch(() => undefined);
    void push(stalled()).catch(() => undefined);
    await expect(push(whole())).rejects.toEqual(tooMany);
  });

  test("a push that is done or has failed gives its place back", async () => {
    const { push } = setUp(1);
    await push(whole());
    const failing = async function* (): AsyncGenerator<PushModuleRequest> {
      yield create(PushModuleRequestSchema, { digest: DIGEST, chunk });
      throw fault(Reason.CANCELED, "Cannot go on");
    };
    await expect(push(failing())).rejects.toMatchObject({ reason: Reason.CANCELED });
    const nameless = async function* (): AsyncGenerator<PushModuleRequest> {
      yield create(PushModuleRequestSchema, { chunk });
    };
    await expect(push(nameless())).rejects.toMatchObject({ reason: Reason.INVALID_REQUEST });
    await expect(push(whole())).resolves.toMatchObject({ sizeBytes: 6n });
  });

  test("a push that stops midway is given up after a minute, and its place is free again", async () => {
    const { clock, push } = setUp(1);
    const stuck = push(stalled()).catch((error: unknown) => error);
    await settle();
    await clock.advance(59_000);
    await expect(push(whole())).rejects.toEqual(tooMany);
    await clock.advance(1_000);
    await expect(stuck).resolves.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    await expect(push(whole())).resolves.toMatchObject({ sizeBytes: 6n });
  });

  test("a push whose caller goes away gives its place back at once", async () => {
    const { gone, push } = setUp(1);
    void push(stalled()).catch(() => undefined);
    await settle();
    gone.abort();
    await expect(push(whole())).resolves.toMatchObject({ sizeBytes: 6n });
  });
});
