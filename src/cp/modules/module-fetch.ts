/** Fetches a module from the web, within limits of time, size and redirects. */
import type { Clock } from "../../clock.ts";
import { fault, isFault, Reason } from "../../fault.ts";
import { createModuleCollector, tooLarge, type HeldModule } from "./module-collector.ts";

/** The part of the platform's `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What a fetch of a module needs. */
export type ModuleFetchDeps = {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly maxBytes: number;
  /** From the first request to the last byte, redirects included. */
  readonly timeoutMs: number;
};

/** What to fetch. */
export type ModuleFetchRequest = {
  /** http or https. */
  readonly url: string;
  /** What the bytes must have; empty for anything. */
  readonly digest: string;
};

const REDIRECTS_MAX = 5;

/**
 * The module at a URL. Throws `MODULE_UNREACHABLE` (refused, timed out, status other than 200, too many redirects),
 * `MODULE_TOO_LARGE`, `MODULE_NOT_WASM`, `MODULE_DIGEST_MISMATCH`, or `INVALID_REQUEST` for another scheme.
 */
export async function fetchModule(deps: ModuleFetchDeps, request: ModuleFetchRequest): Promise<HeldModule> {
  const what = `module from ${printable(request.url)}`;
  const abort = new AbortController();
  const cancel = deps.clock.after(deps.timeoutMs, () =>
    abort.abort(new Error(`it took longer than ${deps.timeoutMs} ms`)),
  );
  try {
    const response = await follow(deps.fetch, request.url, what, abort.signal);
    return await collect(response, what, request.digest, deps.maxBytes);
  } catch (error) {
    if (isFault(error)) throw error;
    throw unreachable(what, abort.signal.aborted ? abort.signal.reason : error);
  } finally {
    cancel();
    // Ends what is left of a response that was refused half-way.
    abort.abort();
  }
}

/** Redirects are followed by hand, so that their number and scheme are ours to decide on every platform. */
async function follow(fetch: Fetch, start: string, what: string, signal: AbortSignal): Promise<Response> {
  let url = webUrl(start, what);
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url.href, {
      redirect: "manual",
      signal,
      headers: { accept: "application/wasm, */*" },
    });
    const location = response.headers.get("location");
    if (!REDIRECT_STATUSES.has(response.status) || location === null) {
      if (response.status === 200) return response;
      throw unreachable(what, new Error(`the server answered ${response.status}`));
    }
    await response.body?.cancel();
    if (redirects === REDIRECTS_MAX) throw unreachable(what, new Error(`more than ${REDIRECTS_MAX} redirects`));
    url = webUrl(new URL(location, url).href, what);
  }
}

async function collect(response: Response, what: string, digest: string, maxBytes: number): Promise<HeldModule> {
  const announcedBytes = Number(response.headers.get("content-length") ?? 0);
  if (announcedBytes > maxBytes) throw tooLarge(what, maxBytes, announcedBytes);
  const collector = createModuleCollector(what, maxBytes);
  if (response.body) for await (const chunk of response.body) collector.add(chunk);
  return collector.finish(digest);
}

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function webUrl(text: string, what: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw fault(Reason.INVALID_REQUEST, `Cannot take ${what}: only http and https URLs are fetched`, {
    subject: "module.url.url",
  });
}

function unreachable(what: string, cause: unknown): Error {
  return fault(Reason.MODULE_UNREACHABLE, `Cannot take ${what}: ${sentenceOf(cause)}`, { cause });
}

/** `fetch failed` says nothing; what lies underneath does. */
function sentenceOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "it cannot be fetched";
  return cause.cause instanceof Error && cause.cause.message !== "" ? cause.cause.message : cause.message;
}

/** A URL without what may be secret in it. */
function printable(text: string): string {
  const url = URL.parse(text);
  return url ? `${url.origin}${url.pathname}` : "an unreadable URL";
}
