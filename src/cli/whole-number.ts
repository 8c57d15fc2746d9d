/** Whole numbers in flags. Pure. */
import { UsageError } from "./usage-error.ts";

/** A reader of whole numbers between `least` and `most`; it throws `UsageError` for anything else. */
export function wholeNumberFromText(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new UsageError(`a whole number from ${least} to ${most} is needed`);
  };
}

/** The port of a flag; 0 lets the system choose. */
export const portFromText: (text: string) => number = wholeNumberFromText(0, 65_535);
