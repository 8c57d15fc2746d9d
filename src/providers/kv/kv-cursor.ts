/**
 * The place in a bucket where a page of keys ended, as text. It says everything itself (bucket and last key),
 * so it outlives the provider and costs it no memory, and it fits any backend.
 */
import { fault, Reason } from "../../fault.ts";

/** The cursor after `lastKey` of `bucket`. */
export function cursorFromKey(bucket: string, lastKey: string): string {
  return Buffer.from(JSON.stringify([bucket, lastKey]), "utf8").toString("base64url");
}

/** The key that `cursor` stands after; throws `CURSOR_INVALID` for text that is no cursor, or one of another bucket. */
export function keyFromCursor(bucket: string, cursor: string): string {
  const key = keyInside(bucket, cursor);
  // The round trip also refuses spellings that the decoder tolerates, such as padding or stray characters.
  if (key === undefined || cursorFromKey(bucket, key) !== cursor) {
    throw fault(Reason.CURSOR_INVALID, `Cannot list keys of bucket "${bucket}": the cursor is not one of this bucket`, {
      subject: bucket,
    });
  }
  return key;
}

function keyInside(bucket: string, cursor: string): string | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (!Array.isArray(parts) || parts.length !== 2 || parts[0] !== bucket) return undefined;
    return typeof parts[1] === "string" ? parts[1] : undefined;
  } catch {
    // Not JSON: no cursor of ours. The caller reports it; the parser's complaint would tell nobody anything.
    return undefined;
  }
}
