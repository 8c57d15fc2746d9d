/** Sizes as people write them: `64MiB`, `1.5GB`, `65536`. Pure. */
import { UsageError } from "./usage-error.ts";

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const BINARY_UNITS: readonly string[] = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Largest size that is understood: 1 PiB. */
export const BYTE_SIZE_MAX: number = 2 ** 50;

/** The whole bytes that `text` stands for; throws `UsageError` with what is wrong. `KiB` is 1,024, `KB` is 1,000; upper or lower case. */
export function bytesFromText(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) throw new UsageError("it is not a size; write it like 64MiB, 1.5GB or 65536");
  const [, amount = "", unit = ""] = match;
  const size = UNIT_BYTES[unit.toLowerCase()];
  if (size === undefined) {
    const letter = unit.toUpperCase();
    const known = /^[KMGT]$/.test(letter)
      ? `write ${amount}${letter}iB (of 1024) or ${amount}${letter}B (of 1000)`
      : "there are B, KB, MB, GB, TB, KiB, MiB, GiB, TiB";
    throw new UsageError(`"${unit}" is not a unit; ${known}`);
  }
  const bytes = Math.round(Number(amount) * size);
  if (bytes > BYTE_SIZE_MAX) throw new UsageError("it is larger than 1024TiB");
  return bytes;
}

/** `bytes` for people: `64 MiB`, `1.5 GiB`, `12 B`; at most one digit after the point, so not always exact. */
export function byteSizeText(bytes: number | bigint): string {
  let amount = Number(bytes);
  let unit = 0;
  while (amount >= 1024 && unit < BINARY_UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  // 1023.96 KiB would be shown as 1024 KiB.
  if (unit > 0 && unit < BINARY_UNITS.length - 1 && Math.round(amount * 10) / 10 >= 1024) {
    amount /= 1024;
    unit += 1;
  }
  const rounded = unit === 0 ? amount : Math.round(amount * 10) / 10;
  return `${rounded} ${BINARY_UNITS[unit] ?? ""}`;
}
