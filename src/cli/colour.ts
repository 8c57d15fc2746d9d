/** The few colours that are used, only where `mayColour` allows. Pure. */

/** How a text stands out. */
export type Tone = "good" | "busy" | "bad" | "quiet" | "strong";

const SGR: Readonly<Record<Tone, string>> = { good: "32", busy: "33", bad: "31", quiet: "2", strong: "1" };

/** A painter: with colours, or one that answers texts as they are. */
export function createPaint(colours: boolean): (tone: Tone, text: string) => string {
  return (tone, text) => (colours && text !== "" ? `\u001b[${SGR[tone]}m${text}\u001b[0m` : text);
}
