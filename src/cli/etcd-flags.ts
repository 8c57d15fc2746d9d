/** What `cp` and `agent` have in common: how etcd is reached. */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { AgentOptions } from "../agent/serve.ts";
import { Reason } from "../fault.ts";
import { baseUrlFromText } from "./address.ts";
import { readFileBounded } from "./bounded-read.ts";
import type { CliIo } from "./cli-io.ts";
import { parsedFlag } from "./command-context.ts";
import { UsageError } from "./usage-error.ts";

/** The flags, understood. */
export type EtcdFlags = {
  readonly etcd?: readonly string[];
  readonly etcdUser?: string;
  readonly etcdPasswordFile?: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
};

/** How etcd is reached. */
export type EtcdOptions = NonNullable<AgentOptions["etcd"]>;

const FILE_MAX_BYTES = 64 * 1024;

/** Adds `EtcdFlags`. `use` says what etcd is for. */
export function addEtcdFlags(command: Command, use: string): Command {
  return command
    .optionsGroup("etcd:")
    .addOption(parsedFlag("--etcd <url,...>", `${use} (default: $WASMATRIX_ETCD)`, urlsFromText))
    .option("--etcd-user <name>", "user of etcd; needs --etcd-password-file")
    .option("--etcd-password-file <file>", "file with that user's password")
    .option("--etcd-ca <file>", "PEM certificates by which etcd is trusted; for https")
    .option("--etcd-cert <file>", "PEM certificate shown to etcd; needs --etcd-ca and --etcd-key")
    .option("--etcd-key <file>", "PEM key of that certificate");
}

/** The options that flags and environment make; `undefined` without etcd. Throws `UsageError` for what does not go together or cannot be read. */
export async function etcdOptionsFromFlags(io: CliIo, flags: EtcdFlags): Promise<EtcdOptions | undefined> {
  const fromEnv = io.env["WASMATRIX_ETCD"] ?? "";
  const endpoints = flags.etcd ?? (fromEnv === "" ? undefined : namingEnv("WASMATRIX_ETCD", fromEnv));
  assertTogether(flags, endpoints);
  if (endpoints === undefined) return undefined;
  const read = async (what: string, file: string): Promise<Buffer> => {
    const options = { what, maxBytes: FILE_MAX_BYTES, tooLarge: Reason.INVALID_REQUEST, signal: io.signal };
    return Buffer.from(await readFileBounded(resolve(io.workDir, file), { ...options, shownPath: file }));
  };
  const { etcdUser: name, etcdPasswordFile, etcdCa, etcdCert, etcdKey } = flags;
  const user =
    name === undefined || etcdPasswordFile === undefined
      ? undefined
      : { name, password: (await read("password file", etcdPasswordFile)).toString().replace(/\r?\n$/, "") };
  const tls =
    etcdCa === undefined
      ? undefined
      : {
          ca: await read("certificates", etcdCa),
          ...(etcdCert === undefined ? {} : { cert: await read("certificate", etcdCert) }),
          ...(etcdKey === undefined ? {} : { key: await read("key", etcdKey) }),
        };
  return { endpoints, ...(user === undefined ? {} : { user }), ...(tls === undefined ? {} : { tls }) };
}

/** The base URLs of a list with commas between them. Throws `UsageError`. */
export function urlsFromText(text: string): string[] {
  return text.split(",").map((part) => {
    if (part.trim() === "") throw new UsageError("a URL is missing between commas");
    return baseUrlFromText(part.trim());
  });
}

/** The same from the environment, whose errors name the variable. */
export function namingEnv(name: string, text: string): string[] {
  try {
    return urlsFromText(text);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`Cannot use ${name}: ${error.message}`, error.hint);
    throw error;
  }
}

function assertTogether(flags: EtcdFlags, endpoints: readonly string[] | undefined): void {
  const { etcdUser, etcdPasswordFile, etcdCa, etcdCert, etcdKey } = flags;
  const others = { etcdUser, etcdPasswordFile, etcdCa, etcdCert, etcdKey };
  const refuse = (problem: string, hint: string): never => {
    throw new UsageError(`Cannot use etcd: ${problem}`, hint);
  };
  if (endpoints === undefined) {
    if (Object.values(others).some((value) => value !== undefined))
      refuse("it is not said where it is", "add --etcd http://127.0.0.1:2379");
    return;
  }
  if ((etcdUser === undefined) !== (etcdPasswordFile === undefined))
    refuse("a user needs a password, and a password a user", "give both --etcd-user and --etcd-password-file");
  if ((etcdCert === undefined) !== (etcdKey === undefined))
    refuse("a certificate needs its key, and a key its certificate", "give both --etcd-cert and --etcd-key");
  if (etcdCert !== undefined && etcdCa === undefined)
    refuse("a certificate is shown only to who is trusted", "add --etcd-ca");
  if (etcdCa !== undefined && endpoints.some((url) => url.startsWith("http:")))
    refuse("certificates are of no use for http", "write --etcd https://...");
}
