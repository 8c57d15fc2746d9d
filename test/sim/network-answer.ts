/** The way back of a call: a unary answer in one piece, a streamed one piece by piece. */
import type { UniversalClientResponse, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Timeline } from "./timeline.ts";
import type { Weather } from "./weather.ts";
import { collect, reset, type Connection, type NetworkWatcher } from "./wire.ts";

/** What answering needs. */
export type AnswerDeps = {
  readonly timeline: Timeline;
  readonly weather: Weather;
  readonly watcher: NetworkWatcher;
  readonly note: (line: string) => void;
};

/** Carries the response of a handler to the caller. */
export function answer(
  deps: AnswerDeps,
  connection: Connection,
  response: UniversalServerResponse,
  deliver: (response: UniversalClientResponse) => void,
  onReaderGone: () => void,
): void {
  const isStream = response.header?.get("content-type")?.startsWith("application/connect+") === true;
  if (isStream) answerStream(deps, connection, response, deliver, onReaderGone);
  else void answerUnary(deps, connection, response, deliver);
}

async function answerUnary(
  { timeline, weather, note }: AnswerDeps,
  { number, from, to, breakOff, stall }: Connection,
  response: UniversalServerResponse,
  deliver: (response: UniversalClientResponse) => void,
): Promise<void> {
  const bytes = await collect(response.body);
  if (!to.process.effect("send")) return;
  const fate = weather.fate(to.host, from.host);
  if (fate.kind === "lost") {
    note(`${number} answer of ${to.process.name} lost`);
    return stall();
  }
  timeline.after(fate.delayMs, () =>
    from.process.deliver(() => {
      // Half an answer is none: its length was announced.
      if (fate.kind === "cut") return breakOff(reset(to.host));
      deliver({ ...headOf(response), body: inOnePiece(bytes) });
    }),
  );
}

function answerStream(
  { timeline, weather, watcher, note }: AnswerDeps,
  { number, from, to, path, breakOff, onBreak, stall }: Connection,
  response: UniversalServerResponse,
  deliver: (response: UniversalClientResponse) => void,
  onReaderGone: () => void,
): void {
  const inbox = createInbox();
  let isHalfOpen = false;
  let lastAtMs = timeline.nowMs;
  const send = (piece: Uint8Array | "end"): void => {
    if (isHalfOpen || !to.process.effect("send")) return;
    const fate = weather.fate(to.host, from.host);
    if (fate.kind === "lost") {
      isHalfOpen = true;
      note(`${number} answer of ${to.process.name} lost`);
      return stall();
    }
    // In order within a stream, as TCP has it.
    lastAtMs = Math.max(lastAtMs, timeline.nowMs + fate.delayMs);
    const isCut = fate.kind === "cut";
    if (isCut) isHalfOpen = true;
    timeline.after(lastAtMs - timeline.nowMs, () =>
      from.process.deliver(() => {
        if (piece === "end") return inbox.end();
        watcher.onArrival(to.host, from, path);
        inbox.put(isCut ? piece.subarray(0, Math.floor(piece.length * fate.share)) : piece);
        if (isCut) breakOff(reset(to.host));
      }),
    );
  };
  const pump = async (): Promise<void> => {
    try {
      for await (const piece of response.body ?? []) send(new Uint8Array(piece));
      send("end");
    } catch {
      // Lost: the error. Handlers put theirs into the last piece; this is a stream whose reader has gone.
      send("end");
    }
  };
  const fate = to.process.effect("send") ? weather.fate(to.host, from.host) : undefined;
  if (fate === undefined) return;
  if (fate.kind !== "arrives") return stall();
  lastAtMs = timeline.nowMs + fate.delayMs;
  timeline.after(fate.delayMs, () =>
    from.process.deliver(() => deliver({ ...headOf(response), body: inbox.read(onReaderGone) })),
  );
  onBreak(inbox.fail);
  void pump();
}

type Inbox = {
  put(piece: Uint8Array): void;
  end(): void;
  fail(error: Error): void;
  read(onReaderGone: () => void): AsyncGenerator<Uint8Array>;
};

function createInbox(): Inbox {
  const pieces: (Uint8Array | "end" | Error)[] = [];
  let wake = (): void => {};
  const put = (piece: Uint8Array | "end" | Error): void => {
    pieces.push(piece);
    wake();
  };
  return {
    put,
    end: () => put("end"),
    fail: put,
    async *read(onReaderGone) {
      try {
        for (;;) {
          const piece = pieces.shift();
          if (piece === "end") return;
          if (piece instanceof Error) throw piece;
          if (piece !== undefined) yield piece;
          else await new Promise<void>((resume) => (wake = resume));
        }
      } finally {
        onReaderGone();
      }
    },
  };
}

function headOf({ status, header, trailer }: UniversalServerResponse): Omit<UniversalClientResponse, "body"> {
  return { status, header: new Headers(header), trailer: new Headers(trailer) };
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
