import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** What GET answers. */
export const GREETING = "Hello from the target\n";

/** An HTTP server for the running test: GET greets, POST answers with what it was sent. */
export async function startWebTarget(host = "127.0.0.1"): Promise<number> {
  const server = createServer((request, response) => {
    if (request.method === "POST") request.pipe(response);
    else response.end(GREETING);
  });
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}
