/** The values of `--allow-net`, `--allow-env` and their like, to permission strings of the API. Pure; each throws `UsageError` with what is wrong. */
import { resolve } from "node:path";
import { UsageError } from "../usage-error.ts";

/** `HOST[:PORT],...` to `http:domain:...`; empty means any host. */
export function netPermissions(text: string): string[] {
  if (text === "") return ["http:request"];
  return listOf(text, "a host").map((host) => `http:domain:${checkedHost(host)}`);
}

/** `NAME,...` to `env:NAME`; empty means every variable that the node shares. */
export function envPermissions(text: string): string[] {
  if (text === "") return ["env:*"];
  return listOf(text, "a name").map((name) => {
    if (/[=\s*]/.test(name))
      throw new UsageError(`"${name}" is not the name of a variable; write it like HOME,LANG, or leave it out for all`);
    return `env:${name}`;
  });
}

/** `TOPIC,...` to `msg:publish:TOPIC` or `msg:subscribe:TOPIC`; empty means every topic. */
export function topicPermissions(verb: "publish" | "subscribe", text: string): string[] {
  if (text === "") return [`msg:${verb}:>`];
  return listOf(text, "a topic").map((topic) => {
    const tokens = topic.split(".");
    const wrong = tokens.find(
      (token, index) => token === "" || /\s/.test(token) || (token === ">" && index < tokens.length - 1),
    );
    if (wrong !== undefined || tokens.some((token) => token.length > 1 && /[*>]/.test(token)))
      throw new UsageError(`"${topic}" is not a topic; write it like orders.created, orders.* or orders.>`);
    return `msg:${verb}:${topic}`;
  });
}

/** `DIR[::GUEST]` to `fs:read:...` or `fs:write:...`, with DIR made absolute against `workDir`. */
export function folderPermission(verb: "read" | "write", text: string, workDir: string): string {
  const form = `write it like --allow-${verb}=DIR or --allow-${verb}=DIR::/WHERE/THE/GUEST/SEES/IT`;
  const [host = "", guest, ...more] = text.split("::");
  if (host === "") throw new UsageError(`a folder is missing; ${form}`);
  if (more.length > 0) throw new UsageError(`"::" stands in it more than once; ${form}`);
  const permission = `fs:${verb}:${resolve(workDir, host)}`;
  if (guest === undefined) return permission;
  if (!guest.startsWith("/")) throw new UsageError(`the guest's path "${guest}" is not absolute; ${form}`);
  return `${permission}::${guest}`;
}

/** `DIR` to what is denied of it, everything below included; empty means every folder. */
export function deniedFolderPermission(verb: "read" | "write", text: string, workDir: string): string {
  if (text === "") return `fs:${verb}:/`;
  if (text.includes("::")) throw new UsageError("a folder of the host is denied; leave :: and the guest's path out");
  return folderPermission(verb, text, workDir);
}

function listOf(text: string, what: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.includes("")) throw new UsageError(`${what} is missing between commas`);
  return parts;
}

function checkedHost(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const url = URL.parse(text);
    const host = url === null || url.host === "" ? "HOST" : url.host;
    throw new UsageError(`"${text}" is a URL; write only its host: ${host}`);
  }
  const match = /^(\[[0-9a-f:.]+\]|[^:/@[\]\s]+)(?::(.*))?$/i.exec(text);
  if (match === null)
    throw new UsageError(`"${text}" is not a host; write it like api.example.com, api.example.com:8443 or [::1]:80`);
  const [, , port] = match;
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535))
    throw new UsageError(`"${port}" is not a port; there are 1 to 65535`);
  return text.toLowerCase();
}
