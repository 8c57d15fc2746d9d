/** The HTTP guest that misbehaves by order (`guests/misbehaving.c`), what its orders come to, and the orders that stay within the rule. */
import { readFileSync } from "node:fs";
import { Reason } from "../../src/fault.ts";
import type { Ending, GuestLimits } from "../../src/runtime/runtime.ts";

/** Its bytes. */
export const MISBEHAVING: Uint8Array<ArrayBuffer> = new Uint8Array(
  readFileSync(new URL("./guests/misbehaving.wasm", import.meta.url)),
);

/** Exports whose results break the canonical ABI by order (`guests/garbage.c`). */
export const GARBAGE: Uint8Array<ArrayBuffer> = new Uint8Array(
  readFileSync(new URL("./guests/garbage.wasm", import.meta.url)),
);

/** One way to misbehave. */
export type Misdeed = {
  readonly name: string;
  readonly path: string;
  readonly limits?: Partial<GuestLimits>;
  /** What its caller is told, or that it gets the whole response. */
  readonly reason: Reason | "answered";
  readonly ending: Partial<Ending>;
  /** The same within the rule, and what it answers. */
  readonly twin: string;
  readonly answer: string;
};

const TIMED_OUT = { reason: Reason.CALL_TIMED_OUT, ending: { kind: "limit", limit: "callTimeoutMs" } } as const;
const TRAPPED = { reason: Reason.GUEST_TRAPPED, ending: { kind: "trapped" } } as const;
const exceeded = (limit: keyof GuestLimits) =>
  ({ reason: Reason.GUEST_TRAPPED, ending: { kind: "limit", limit } }) as const;

/** A limit that is meant to be met is near; every other is far away, also on a slow machine. */
const SHORT = { callTimeoutMs: 1_000 };

/** Those that end it. */
export const MISDEEDS: readonly Misdeed[] = [
  { name: "loops for ever", path: "/spin", limits: SHORT, ...TIMED_OUT, twin: "/spin?ms=20", answer: "ok" },
  { name: "never answers", path: "/sleep", limits: SHORT, ...TIMED_OUT, twin: "/sleep?ms=1", answer: "ok" },
  {
    name: "sleeps past its time",
    path: "/sleep?ms=600000",
    limits: SHORT,
    ...TIMED_OUT,
    twin: "/sleep?ms=20",
    answer: "ok",
  },
  {
    name: "loops in the middle of its answer",
    path: "/half?then=spin",
    limits: SHORT,
    ...TIMED_OUT,
    twin: "/half?then=finish",
    answer: "the first half",
  },
  {
    name: "sleeps in the middle of its answer",
    path: "/half?then=sleep",
    limits: SHORT,
    ...TIMED_OUT,
    twin: "/half?then=finish",
    answer: "the first half",
  },
  {
    name: "uses more processor time than it may",
    path: "/spin",
    limits: { cpuTimeMaxMs: 300 },
    ...exceeded("cpuTimeMaxMs"),
    twin: "/spin?ms=20",
    answer: "ok",
  },
  {
    name: "recurses on the engine's stack",
    path: "/recurse?kind=native",
    ...TRAPPED,
    twin: "/recurse?kind=native&depth=1000",
    answer: "came back",
  },
  {
    name: "recurses on its own stack",
    path: "/recurse?kind=shadow",
    ...TRAPPED,
    twin: "/recurse?kind=shadow&depth=20",
    answer: "came back",
  },
  {
    name: "takes memory until it traps",
    path: "/grow?trap=1",
    limits: { memoryMaxBytes: 16 * 1024 * 1024 },
    ...TRAPPED,
    twin: "/grow?trap=1&mib=8",
    answer: "took MiB 8",
  },
  { name: "traps", path: "/trap", ...TRAPPED, twin: "/trap?trap=0", answer: "ok" },
  {
    name: "traps in the middle of its answer",
    path: "/half?then=trap",
    ...TRAPPED,
    twin: "/half?then=finish",
    answer: "the first half",
  },
  {
    name: "exits in the middle of its answer",
    path: "/half?then=exit",
    reason: Reason.GUEST_TRAPPED,
    ending: { kind: "exited", exitCode: 1 },
    twin: "/half?then=finish",
    answer: "the first half",
  },
  {
    name: "floods its log with lines",
    path: "/log",
    limits: { outputMaxLinesPerMinute: 1_000 },
    ...exceeded("outputMaxLinesPerMinute"),
    twin: "/log?lines=900",
    answer: "logged 900",
  },
  {
    name: "floods its log with bytes",
    path: "/log?bytes=10000",
    limits: { outputMaxBytesPerMinute: 1_000_000 },
    ...exceeded("outputMaxBytesPerMinute"),
    twin: "/log?bytes=10000&lines=90",
    answer: "logged 90",
  },
  {
    name: "floods its output with lines",
    path: "/output",
    limits: { outputMaxLinesPerMinute: 1_000 },
    ...exceeded("outputMaxLinesPerMinute"),
    twin: "/output?lines=1000",
    answer: "wrote 1000",
  },
  {
    name: "floods its output with bytes",
    path: "/output?bytes=10000",
    limits: { outputMaxBytesPerMinute: 1_000_000 },
    ...exceeded("outputMaxBytesPerMinute"),
    twin: "/output?bytes=10000&lines=100",
    answer: "wrote 100",
  },
  ...["fields", "timers", "responses", "requests"].map((kind): Misdeed => ({
    name: `hoards ${kind}`,
    path: `/hoard?kind=${kind}`,
    limits: { openHandlesMax: 1_000 },
    ...exceeded("openHandlesMax"),
    twin: `/hoard?kind=${kind}&count=400`,
    answer: "holds 400",
  })),
  {
    name: "drops what it has dropped",
    path: "/discard?what=twice",
    ...TRAPPED,
    twin: "/discard?what=nothing",
    answer: "kept what it needs",
  },
  {
    name: "writes to a body that it has finished",
    path: "/after-end?kind=body",
    ...TRAPPED,
    reason: "answered",
    twin: "/after-end?kind=nothing",
    answer: "whole",
  },
  {
    name: "answers twice",
    path: "/after-end?kind=outparam",
    ...TRAPPED,
    reason: "answered",
    twin: "/after-end?kind=nothing",
    answer: "whole",
  },
  {
    name: "passes the host a list that names the same text too often",
    path: "/fields?count=100000&bytes=1000",
    ...TRAPPED,
    twin: "/fields?count=20&bytes=1000",
    answer: "gave 20",
  },
  ...["pointer", "count", "utf8", "handle", "case"].map((kind): Misdeed => ({
    name: `gives the host garbage: ${kind}`,
    path: `/garbage?kind=${kind}`,
    ...TRAPPED,
    twin: "/garbage?kind=nothing",
    answer: "made sense",
  })),
];
