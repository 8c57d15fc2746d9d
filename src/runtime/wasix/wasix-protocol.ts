/** All that the agent's thread and the thread of a WASIX program say to each other. */

/** What the thread is made with. */
export type WasixOrder = {
  /** File URL of the SDK's entry for Node. */
  readonly sdkUrl: string;
  readonly program: Uint8Array;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** Threads of the program and of the SDK together. */
  readonly threadsMax: number;
  /** What the SDK's own memory, with the program's files in it, may grow to. */
  readonly sdkMemoryMaxBytes: number;
  readonly hasSockets: boolean;
};

/** To the thread. */
export type ToWasix =
  /** So many pieces of output were taken; one more may come for each. */
  | { readonly kind: "outputTaken" }
  /** Whether connections may be opened from now on; answered by `socketsSet`. */
  | { readonly kind: "setSockets"; readonly hasSockets: boolean };

/** From the thread. */
export type FromWasix =
  /** The program runs. */
  | { readonly kind: "running" }
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly kind: "socketsSet" }
  /** One connection that was asked for. */
  | { readonly kind: "connection"; readonly isAllowed: boolean }
  | { readonly kind: "exited"; readonly exitCode: number }
  /** The program trapped, or the SDK failed under it. */
  | { readonly kind: "failed"; readonly message: string };
