/** Where an instance with a name answers. Pure. */

/** The URLs of `name` at the gateway of the control plane at `baseUrl`: by path, and on this machine also by host. */
export function servedUrls(baseUrl: string, name: string): string[] {
  const byPath = `${baseUrl}/-/${name}/`;
  const url = new URL(baseUrl);
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  // A name below localhost is this machine in browsers and curl, without any set-up.
  return isLocal && url.pathname === "/"
    ? [`${url.protocol}//${name}.localhost${url.port === "" ? "" : `:${url.port}`}/`, byPath]
    : [byPath];
}
