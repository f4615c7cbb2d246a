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

/** Listens and gives the port, which matters when `port` is 0. @throws EADDRINUSE, EACCES ... */
export function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
