/** Files that only the user of this process may read, wherever their folder lies. */
import { closeSync, openSync } from "node:fs";

/**
 * Makes `file`, empty, for this user alone; one that exists stays as it is. SQLite gives what it puts beside a database
 * the permissions of the database. Throws the file system's error if it cannot be made.
 */
export function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, "ax", 0o600));
  } catch (error) {
    // An existing file is not even opened: closing it again would drop the locks that SQLite holds on it in this process.
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
    throw error;
  }
}
