/** The version of the program, from its package.json. */
import { readFileSync } from "node:fs";

/** The package's folder; two levels up from here, in `src/` and in `dist/` alike. */
export const packageUrl: URL = new URL("../../", import.meta.url);

/** The version, such as `0.1.0`. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("package.json", packageUrl), "utf8"));
  const version: unknown =
    typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "version") : undefined;
  return typeof version === "string" ? version : "unknown";
}
