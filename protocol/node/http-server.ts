import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";

/** A Hono app, or anything that answers a Request, as the listener of a node:http server. */
export function requestListener(
  answer: (request: Request, env: HttpBindings) => Response | Promise<Response>,
): (request: IncomingMessage, response: ServerResponse) => void {
  const listener = getRequestListener((request, env) => answer(request, env as HttpBindings));
  return (request, response) => void listener(request, response);
}

/**
 * Listens and gives the port, which matters when `port` is 0. A shared port may be listened on by
 * other processes of this user, if they share it as well (SO_REUSEPORT).
 *
 * @throws EADDRINUSE, EACCES, ENOTSUP where ports cannot be shared ...
 */
export function listenOn(
  server: Server,
  host: string,
  port: number,
  isShared = false,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, reusePort: isShared }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
