/** One HTTP request into a guest: its body flows in as the guest reads, the response flows out as the caller reads. */
import { fault, Reason, type Fault } from "../../fault.ts";
import type { HttpHeaders } from "../../providers/http/http.ts";
import { BytePipe, type BytePipeOptions } from "../byte-pipe.ts";
import type { GuestLimits, GuestRequest, GuestResponse } from "../runtime.ts";
import type { CallLink, CallMessage, GuestCall } from "./guest-call.ts";
import { BODY_WINDOW_BYTES, windowCost, type CallOrder, type ResponsePart, type ToCopy } from "./protocol.ts";
import { RequestBody } from "./request-body.ts";
import { errorResponse, wholeResponse } from "./whole-response.ts";

/** What a `FetchCall` is made with. */
export type FetchCallOptions = {
  /** The instance id, for messages. */
  readonly id: string;
  readonly limits: Pick<GuestLimits, "requestBodyMaxBytes" | "responseBodyMaxBytes">;
};

/** A guest that has filled its window has this much of it back before it would have to ask. */
const TELL_TAKEN_BYTES = BODY_WINDOW_BYTES / 4;

/** A call, and the promise of its response. The request's body is not touched before the guest asks for it. A class, because there is one for each request. */
export class FetchCall implements GuestCall, BytePipeOptions {
  readonly order: CallOrder;
  readonly #options: FetchCallOptions;
  readonly #body: RequestBody | undefined;
  readonly #response: PromiseWithResolvers<GuestResponse> = Promise.withResolvers();
  /** Of a response that does not come in one piece. */
  #pipe: BytePipe | undefined;
  #trailers: PromiseWithResolvers<HttpHeaders | undefined> | undefined;
  #link: CallLink | undefined;
  #isAbandoned = false;
  #isReaderAwaited = false;
  #isHandled = false;
  #responseBytes = 0;
  /** What was taken of the response and the guest was not told of, as `windowCost` counts. */
  #taken = 0;

  constructor(request: GuestRequest, options: FetchCallOptions) {
    const { method, scheme, authority, pathWithQuery, headers } = request;
    const hasBody = request.body !== undefined;
    this.order = { kind: "request", method, scheme, authority, pathWithQuery, headers, hasBody };
    this.#options = options;
    this.#body = hasBody ? this.#requestBody(request) : undefined;
  }

  get response(): Promise<GuestResponse> {
    return this.#response.promise;
  }

  get isHeldByCaller(): boolean {
    return this.#isReaderAwaited || this.#body?.isAwaited === true;
  }

  begin(link: CallLink): void {
    this.#link = link;
  }

  accept(message: CallMessage): void {
    switch (message.kind) {
      case "readBody":
        return this.#body?.read();
      case "response":
        return this.#acceptPart(message);
      case "awaitReader":
        this.#isReaderAwaited = !this.#isAbandoned;
        if (this.#taken > 0) this.#tellTaken();
    }
  }

  finish(): void {
    this.#isHandled = true;
    this.#body?.stop("the handler has returned");
  }

  abandon(why: Fault): void {
    if (this.#isAbandoned) return;
    this.#isAbandoned = true;
    this.fail(why);
    if (this.#isHandled) return;
    // What was not read counts as taken, or a guest that waits for room would wait for good.
    for (const bytes of this.#pipe?.clear() ?? []) this.#taken += windowCost(bytes);
    if (this.#taken > 0) this.#tellTaken();
    this.#link?.callerGone();
  }

  fail(why: Fault): void {
    this.#response.reject(why);
    this.#trailers?.reject(why);
    this.#pipe?.fail(why);
    this.#body?.stop(why.message);
  }

  letGo(): void {
    this.#body?.stop("the caller is too slow");
    this.#send((ticket) => ({ kind: "responseClosed", ticket, message: "the caller is too slow" }));
  }

  onTaken(bytes: number): void {
    this.#taken += windowCost(bytes);
    if (this.#isReaderAwaited || this.#taken >= TELL_TAKEN_BYTES) this.#tellTaken();
  }

  onReturn(): void {
    const { id } = this.#options;
    const why = `Cannot finish call of instance "${id}": nobody reads its response`;
    this.abandon(fault(Reason.CANCELED, why, { subject: id }));
  }

  #requestBody({ body, trailers }: GuestRequest): RequestBody {
    const { id, limits } = this.#options;
    return new RequestBody({
      what: `call instance "${id}"`,
      subject: id,
      source: body,
      trailers,
      maxBytes: limits.requestBodyMaxBytes,
      onAnswer: (given) => this.#send((ticket) => ({ kind: "body", ticket, given })),
      onFault: (why) => this.abandon(why),
    });
  }

  #send(message: (ticket: number) => Extract<ToCopy, { ticket: number }>): void {
    if (this.#link !== undefined && !this.#isHandled) this.#link.send(message(this.#link.ticket));
  }

  /** The guest is told when it waits, or may soon: most responses are over before. */
  #tellTaken(): void {
    this.#isReaderAwaited = false;
    const bytes = this.#taken;
    this.#taken = 0;
    this.#send((ticket) => ({ kind: "responseTaken", ticket, bytes }));
  }

  #acceptPart(part: ResponsePart): void {
    const { head, error, pieces, end } = part;
    if (error !== undefined) this.#response.resolve(errorResponse(error));
    if (head !== undefined) {
      const whole = this.#isAbandoned ? undefined : wholeResponse(part, this.#options.limits.responseBodyMaxBytes);
      if (whole !== undefined) return this.#response.resolve(whole);
      this.#beginStream(head);
    }
    for (const piece of pieces) this.#acceptBody(piece);
    if (end === undefined) return;
    if (end.failure === undefined) {
      this.#trailers?.resolve(end.trailers);
      return this.#pipe?.end();
    }
    const { id } = this.#options;
    this.fail(fault(Reason.GUEST_TRAPPED, `Cannot finish call of instance "${id}": ${end.failure}`, { subject: id }));
  }

  #beginStream(head: NonNullable<ResponsePart["head"]>): void {
    const pipe = (this.#pipe = new BytePipe(this));
    const trailers = (this.#trailers = Promise.withResolvers());
    // Lost here: nothing, the body's reader gets the same failure.
    trailers.promise.catch(() => undefined);
    this.#response.resolve({ ...head, body: pipe, trailers: trailers.promise });
  }

  #acceptBody(bytes: Uint8Array): void {
    this.#responseBytes += bytes.length;
    if (this.#isAbandoned) {
      this.#taken += windowCost(bytes.length);
      return this.#tellTaken();
    }
    const { id, limits } = this.#options;
    if (this.#responseBytes <= limits.responseBodyMaxBytes) return this.#pipe?.write(bytes);
    const why = `Cannot finish call of instance "${id}": the response body exceeds ${limits.responseBodyMaxBytes} bytes (responseBodyMaxBytes)`;
    this.abandon(fault(Reason.BODY_TOO_LARGE, why, { subject: "responseBodyMaxBytes" }));
    this.#send((ticket) => ({ kind: "responseClosed", ticket, message: "the response body is too large" }));
  }
}
