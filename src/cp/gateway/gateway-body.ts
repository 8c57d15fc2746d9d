/** Bodies on their way through the gateway. */

/** A request's body, ready to be sent on. */
export type GatewayBody = {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | undefined;
  /** Whether it can be sent again, to another instance. */
  readonly replayable: boolean;
  /** Whether more came than is allowed; the stream has failed then. */
  readonly exceeded: () => boolean;
};

/** Bodies of a known length up to this are read whole: they keep their length, and may be sent to a second instance. */
const WHOLE_MAX_BYTES = 64 * 1024;

/** Takes the body of a request, which fails as soon as it exceeds `maxBytes`. */
export async function takeBody(request: Request, maxBytes: number): Promise<GatewayBody> {
  const announcedBytes = Number(request.headers.get("content-length") ?? Number.NaN);
  if (announcedBytes > maxBytes) return { body: undefined, replayable: false, exceeded: () => true };
  if (request.body === null) return { body: undefined, replayable: true, exceeded: () => false };
  if (announcedBytes <= WHOLE_MAX_BYTES) {
    return { body: new Uint8Array(await request.arrayBuffer()), replayable: true, exceeded: () => false };
  }
  let sizeBytes = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) controller.error(new Error(`request body exceeds ${maxBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
  return { body: request.body.pipeThrough(counted), replayable: false, exceeded: () => sizeBytes > maxBytes };
}

/** Passes a stream on and calls `onEnd` once when it has ended, failed or been given up. */
export function observed(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onEnd: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        onEnd();
        controller.close();
      } catch (error) {
        onEnd();
        controller.error(error);
      }
    },
    cancel(reason) {
      onEnd();
      return reader.cancel(reason);
    },
  });
}
