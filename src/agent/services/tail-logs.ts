/** Streams what an instance writes. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { sleep, type Clock } from "../../clock.ts";
import { LogStream } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type {
  NodeAgentServiceTailLogsRequest,
  NodeAgentServiceTailLogsResponseSchema,
} from "../../gen/wasmatrix/v1/node_agent_pb.ts";
import { STREAM_KEEPALIVE_MS } from "../../rpc/rpc-limits.ts";
import type { Agent } from "../agent.ts";
import { hasEnded } from "../instance-record.ts";
import type { LogFollower, OutputLine } from "../log-buffer.ts";

type TailMessage = MessageInitShape<typeof NodeAgentServiceTailLogsResponseSchema>;

/** Lines in one message. A line is at most 16 KiB, so that a message stays below what an RPC takes. */
const MESSAGE_MAX_LINES = 200;

/**
 * The kept lines that were asked for, then new ones until the instance ends for good or `signal` aborts. The first message is
 * empty; empty messages keep an idle stream alive. Throws `INSTANCE_NOT_FOUND`.
 */
export async function* tailLogs(
  agent: Pick<Agent, "supervisor" | "logs">,
  request: NodeAgentServiceTailLogsRequest,
  context: { readonly signal: AbortSignal; readonly clock: Clock },
): AsyncGenerator<TailMessage> {
  const record = agent.supervisor.get(request.instanceId);
  yield {};
  const buffer = agent.logs.buffer(record.id);
  const kept = buffer.lines({ afterSequence: Number(request.afterSequence), lastLines: request.lastLines });
  const follows = request.follow && !hasEnded(agent.supervisor.find(record.id) ?? record);
  // Between reading the kept lines and following nothing waits, so that no line is missed or doubled.
  const follower = follows ? agent.logs.follow(record.id, kept.at(-1)?.sequence ?? buffer.lastSequence) : undefined;
  yield* messagesFrom(record.id, kept);
  if (follower === undefined) return;
  const close = (): void => follower.close();
  context.signal.addEventListener("abort", close);
  try {
    yield* followed(record.id, follower, context);
  } finally {
    context.signal.removeEventListener("abort", close);
    follower.close();
  }
}

async function* followed(
  id: string,
  follower: LogFollower,
  context: { readonly signal: AbortSignal; readonly clock: Clock },
): AsyncGenerator<TailMessage> {
  let next = follower.next();
  while (!context.signal.aborted) {
    const quiet = new AbortController();
    const lines = await Promise.race([
      next,
      sleep(context.clock, STREAM_KEEPALIVE_MS, quiet.signal).then(() => undefined),
    ]);
    quiet.abort();
    if (lines === undefined) {
      yield {};
      continue;
    }
    if (lines.length === 0) return;
    yield* messagesFrom(id, lines);
    next = follower.next();
  }
}

function* messagesFrom(id: string, lines: readonly OutputLine[]): Generator<TailMessage> {
  for (let start = 0; start < lines.length; start += MESSAGE_MAX_LINES) {
    yield { lines: lines.slice(start, start + MESSAGE_MAX_LINES).map((line) => messageFrom(id, line)) };
  }
}

function messageFrom(id: string, line: OutputLine): NonNullable<TailMessage["lines"]>[number] {
  return {
    instanceId: id,
    stream: STREAMS[line.stream],
    time: timestampFromMs(line.timeMs),
    text: line.text,
    sequence: BigInt(line.sequence),
    level: line.level,
  };
}

const STREAMS: Readonly<Record<OutputLine["stream"], LogStream>> = {
  stdout: LogStream.STDOUT,
  stderr: LogStream.STDERR,
  logging: LogStream.LOGGING,
};
