/** Lets only so many go on at once; the others wait for their turn, in order. */

/** See the top of the file. */
export interface Turns {
  /** Resolves when it is the caller's turn; the function that it answers ends the turn, once. */
  take(): Promise<() => void>;
}

/** Makes `max` places. Who takes turns bounds how many wait. */
export function createTurns(max: number): Turns {
  const waiting: (() => void)[] = [];
  let free = max;
  const end = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return {
    async take() {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      let ended = false;
      return () => {
        if (!ended) end();
        ended = true;
      };
    },
  };
}
