/** How HTTP requests name an instance: by host (`NAME.localhost`) or by path (`/-/NAME/rest`). Pure. */

/** By which a gateway tells an ingress the one instance that it chose. */
export const INSTANCE_HEADER = "x-wasmatrix-instance";

/** A path that names an instance, taken apart. `name` need not be one that an instance can have. */
export type NamedPath = {
  readonly name: string;
  /** What follows the name, query included; begins with `/`. */
  readonly rest: string;
};

/** Takes `/-/NAME/rest?query` apart; undefined for any other path. */
export function namedPathFrom(pathWithQuery: string): NamedPath | undefined {
  const parts = /^\/-\/([^/?#]*)(.*)$/s.exec(pathWithQuery);
  if (parts === null) return undefined;
  const [, name = "", rest = ""] = parts;
  return { name, rest: rest.startsWith("/") ? rest : `/${rest}` };
}

/** The name in a host such as `hello.localhost:7480`, if it is of that form. */
export function nameFromHost(host: string): string | undefined {
  return /^([^.:]+)\.localhost\.?(?::\d+)?$/i.exec(host)?.[1]?.toLowerCase();
}

/** Whether an instance can have this name: a DNS label in lower case. */
export function isInstanceName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}
