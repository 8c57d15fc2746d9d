/** Absolute paths of hosts and guests as text. Pure. */

/** What is wrong with `path` as an absolute path in its plain form; `undefined` if nothing is. */
export function absolutePathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "is not absolute (it must begin with /)";
  if (/\p{Cc}/u.test(path) || !path.isWellFormed()) return "has a control character in it";
  if (path === "/") return undefined;
  const parts = path.slice(1).split("/");
  if (parts.includes(".") || parts.includes("..")) return "has . or .. in it";
  if (parts.slice(0, -1).includes("")) return "has // in it";
  return undefined;
}

/** Without a slash at the end, except for `/` itself. */
export function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

/** Whether `path` is `folder` or lies below it; both in their plain form. */
export function isAtOrBelow(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
