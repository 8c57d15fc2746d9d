/** The world of a component, as `inspect` shows it. Pure. */

/** `wit` without the text of `wasi:` interfaces, which everybody has and which would hide the rest; the world names them all the same. */
export function withoutWasiPackages(wit: string): string {
  // Blocks stand between empty lines, and have none inside.
  const blocks = wit.trimEnd().split("\n\n");
  return `${blocks.filter((block) => !block.startsWith("package wasi:")).join("\n\n")}\n`;
}
