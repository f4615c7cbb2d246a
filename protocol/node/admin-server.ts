import { createServer } from "node:http";
import { Hono } from "hono";
import { listenOn, requestListener } from "./http-server.ts";

/** What an operator may ask for, in the Prometheus exposition format. */
export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface AdminServer {
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** Serves what an operator wants to know of either end: `/healthz` and `/metrics`. */
export async function serveAdmin(
  host: string,
  port: number,
  metrics: Exposition,
  isShared = false,
): Promise<AdminServer> {
  const app = new Hono();
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/metrics", async (context) =>
    context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
  const server = createServer(requestListener((request) => app.fetch(request)));
  const bound = await listenOn(server, host, port, isShared);
  return {
    host,
    port: bound,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
