/** The manifest that `init` writes. Pure. */
import { basename, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { GuestKind } from "../../runtime/runtime.ts";

/** What it is written for. */
export type NewManifest = {
  /** As the user named it. */
  readonly module: string;
  /** `undefined` if it is not known. */
  readonly kind: GuestKind | undefined;
  /** Absolute; where it is written. */
  readonly folder: string;
  /** Where the schema of this version is. */
  readonly schemaUrl: URL;
};

/** The manifest as JSON: it grants nothing and has the limits that apply anyway, so that they are found. */
export function manifestFor(options: NewManifest): Readonly<Record<string, unknown>> {
  const { kind, folder } = options;
  const module = relative(folder, resolve(folder, options.module)).replaceAll(sep, "/");
  const name = labelFrom(basename(options.module).replace(/\.wasm$/, ""));
  return {
    $schema: schemaReference(folder, options.schemaUrl),
    module: module.startsWith(".") ? module : `./${module}`,
    ...(name === "" ? {} : { name }),
    permissions: { allow: [] },
    limits: { memory: "64MiB", ...(kind === "command" ? { commandTimeout: "10m" } : { callTimeout: "30s" }) },
    ...(kind === "command" ? {} : { restart: "on-failure:5" }),
  };
}

/** A path, if the package is installed in the folder or in one around it, so that the manifest may be shared; else a file: URL of this machine. */
function schemaReference(folder: string, schemaUrl: URL): string {
  const path = relative(folder, fileURLToPath(schemaUrl)).replaceAll(sep, "/");
  const isNear = /^(\.\.\/)*node_modules\//.test(path) || !path.startsWith("..");
  if (!isNear) return schemaUrl.href;
  return path.startsWith(".") ? path : `./${path}`;
}

/** The nearest thing to `text` that may be a name of an instance; empty if there is none. */
function labelFrom(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}
