/** Text from elsewhere, made harmless on a terminal. Pure. */

/**
 * `text` on one line: control characters (which could move the cursor or hide text) are shown as escapes, line ends as
 * spaces. For names, labels and messages; a guest's own output is passed on as it is.
 */
export function printable(text: string): string {
  return text
    .replace(/[\r\n\t\u2028\u2029]+/g, " ")
    .replace(
      /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu,
      (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
    );
}

/** `1 instance`, `3 instances`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
