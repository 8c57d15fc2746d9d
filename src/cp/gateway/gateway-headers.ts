/** Which headers pass through the gateway. Pure. */
import { hopByHopHeaders } from "../../http/hop-by-hop.ts";
import { INSTANCE_HEADER } from "../../http/instance-address.ts";

/** Headers of the request to an agent's ingress. */
export function upstreamHeaders(
  request: Request,
  url: URL,
  chosen: { readonly instanceId: string; readonly requestId: string },
): Headers {
  const headers = withoutHopByHop(request.headers);
  // Host and length follow from where and how the request is sent on; `expect` is answered by whoever reads the body.
  for (const name of ["host", "content-length", "expect"]) headers.delete(name);
  headers.set("x-forwarded-host", url.host);
  headers.set("x-forwarded-proto", url.protocol.replace(":", ""));
  headers.set("x-request-id", chosen.requestId);
  headers.set(INSTANCE_HEADER, chosen.instanceId);
  return headers;
}

/** Headers of the response to the client. */
export function downstreamHeaders(response: Response, requestId: string): Headers {
  const headers = withoutHopByHop(response.headers);
  // `fetch` has undone the encoding, and with it the length is another.
  if (headers.has("content-encoding")) {
    headers.delete("content-encoding");
    headers.delete("content-length");
  }
  headers.set("x-request-id", requestId);
  return headers;
}

function withoutHopByHop(original: Headers): Headers {
  const headers = new Headers(original);
  for (const name of hopByHopHeaders(original.get("connection") ?? "")) headers.delete(name);
  return headers;
}
