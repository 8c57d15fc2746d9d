/** The config file: `{ "address": "...", "token": "..." }`. */
import { open } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CliIo } from "./cli-io.ts";
import { UsageError } from "./usage-error.ts";

/** What a config file may say. */
export type CliConfig = {
  readonly address?: string;
  readonly token?: string;
};

/** Where a config file is looked for if --client-config names none. */
export function defaultConfigPath(io: Pick<CliIo, "env" | "homeDir">): string {
  const base = io.env["XDG_CONFIG_HOME"] ?? "";
  return join(base === "" ? join(io.homeDir, ".config") : base, "wasmatrix", "config.json");
}

/** Reads the config file. The default one may be missing; one that was named may not. Throws `UsageError`, never with the file's content. */
export async function readConfig(io: Pick<CliIo, "env" | "homeDir">, named: string | undefined): Promise<CliConfig> {
  const path = named === undefined ? defaultConfigPath(io) : resolve(named);
  let text: string;
  try {
    text = await readBounded(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (named === undefined && (code === "ENOENT" || code === "ENOTDIR")) return {};
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `Cannot read config file ${path}: ${code === "ENOENT" ? "there is none" : String(code ?? error)}`,
    );
  }
  return configFromText(text, path);
}

/** Understands the file's text; throws `UsageError` that names `path` and what is wrong. */
export function configFromText(text: string, path: string): CliConfig {
  const refuse = (problem: string): UsageError =>
    new UsageError(
      `Cannot read config file ${path}: ${problem}`,
      'write it like {"address": "http://127.0.0.1:7420", "token": "..."}',
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message may quote the file, and with it the token.
    throw refuse("it is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse("it is not a JSON object");
  const config: { address?: string; token?: string } = {};
  for (const [key, entry] of Object.entries(value)) {
    if (key !== "address" && key !== "token") throw refuse(`there is no setting "${key}"; there are address and token`);
    if (typeof entry !== "string" || entry === "") throw refuse(`"${key}" is not a text`);
    config[key] = entry;
  }
  return config;
}

const CONFIG_MAX_BYTES = 64 * 1024;

async function readBounded(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(CONFIG_MAX_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > CONFIG_MAX_BYTES) throw new UsageError(`Cannot read config file ${path}: it is larger than 64 KiB`);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
