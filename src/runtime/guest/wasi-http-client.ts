/** The parts of `wasi:http/types` that make requests. They can be built, but `outgoing-handler.handle` denies every one. */
import type { Fields } from "./http-fields.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import type { NamedVariant } from "./wasi-http.ts";

/** Characters of a path or an authority; a guest may hold many requests, and none of them is ever sent. */
const TEXT_MAX_CHARACTERS = 8 * 1024;

/** Resource `outgoing-request`. */
export class OutgoingRequest {
  readonly #headers: Fields;
  #method: NamedVariant = { tag: "get" };
  #pathWithQuery: string | undefined;
  #scheme: NamedVariant | undefined;
  #authority: string | undefined;
  #isBodyTaken = false;

  constructor(headers: Fields) {
    this.#headers = headers;
    headers.freeze();
  }

  body(): OutgoingBody {
    if (this.#isBodyTaken) throw undefined;
    this.#isBodyTaken = true;
    return new OutgoingBody();
  }

  method(): NamedVariant {
    return this.#method;
  }

  setMethod(method: NamedVariant): void {
    if ((method.val?.length ?? 0) > TEXT_MAX_CHARACTERS) throw undefined;
    this.#method = method;
  }

  pathWithQuery(): string | undefined {
    return this.#pathWithQuery;
  }

  setPathWithQuery(pathWithQuery: string | undefined): void {
    if ((pathWithQuery?.length ?? 0) > TEXT_MAX_CHARACTERS) throw undefined;
    this.#pathWithQuery = pathWithQuery;
  }

  scheme(): NamedVariant | undefined {
    return this.#scheme;
  }

  setScheme(scheme: NamedVariant | undefined): void {
    if ((scheme?.val?.length ?? 0) > TEXT_MAX_CHARACTERS) throw undefined;
    this.#scheme = scheme;
  }

  authority(): string | undefined {
    return this.#authority;
  }

  setAuthority(authority: string | undefined): void {
    if ((authority?.length ?? 0) > TEXT_MAX_CHARACTERS) throw undefined;
    this.#authority = authority;
  }

  headers(): Fields {
    return this.#headers;
  }
}

/** Resource `request-options`. */
export class RequestOptions {
  #connectTimeout: bigint | undefined;
  #firstByteTimeout: bigint | undefined;
  #betweenBytesTimeout: bigint | undefined;

  connectTimeout(): bigint | undefined {
    return this.#connectTimeout;
  }

  setConnectTimeout(duration: bigint | undefined): void {
    this.#connectTimeout = duration;
  }

  firstByteTimeout(): bigint | undefined {
    return this.#firstByteTimeout;
  }

  setFirstByteTimeout(duration: bigint | undefined): void {
    this.#firstByteTimeout = duration;
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#betweenBytesTimeout;
  }

  setBetweenBytesTimeout(duration: bigint | undefined): void {
    this.#betweenBytesTimeout = duration;
  }
}

/** Resource `incoming-response`: there never is one, as every request is denied. */
export class IncomingResponse {
  status(): never {
    throw new Error("there is no response");
  }

  headers(): never {
    throw new Error("there is no response");
  }

  consume(): never {
    throw new Error("there is no response");
  }
}

/** Resource `future-incoming-response`: there never is one, as every request is denied. */
export class FutureIncomingResponse {
  subscribe(): never {
    throw new Error("there is no response");
  }

  get(): never {
    throw new Error("there is no response");
  }
}
