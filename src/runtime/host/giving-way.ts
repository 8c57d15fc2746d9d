/**
 * Lets a guest that asks in a loop instead of waiting see what it asks for: what a guest waits for comes in through the
 * event loop of its thread, which turns only while the guest is suspended.
 */

/** Answers of "not yet" after which the guest gives way. */
const ASKS_PER_TURN = 32;

/** Returns `answer`, and every so often a promise of it that takes one turn of the event loop. For answers that mean "not yet" only. */
export type GivingWay = <T>(answer: T) => T | Promise<T>;

/** Makes the count of one guest. `turn` resolves after one turn of the event loop. */
export function createGivingWay(turn: () => Promise<void> = eventLoopTurn): GivingWay {
  let asks = 0;
  return (answer) => {
    asks += 1;
    if (asks < ASKS_PER_TURN) return answer;
    asks = 0;
    return turn().then(() => answer);
  };
}

function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
