/** The baseline: a bare node:http server that answers a few bytes. Prints its URL as one JSON line. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const server = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/plain" });
  response.end("ok\n");
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${String(port)}` }));
});
process.once("SIGTERM", () => process.exit(0));
