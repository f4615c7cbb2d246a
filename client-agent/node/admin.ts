import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import type { Metrics } from "../observe/metrics.ts";

export interface AdminServer {
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** Serves what an operator wants to know: `/healthz` and `/metrics` (Prometheus). */
export async function serveAdmin(host: string, port: number, metrics: Metrics): Promise<AdminServer> {
  const app = new Hono();
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/metrics", async (context) =>
    context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
  const server = createServer(getRequestListener(app.fetch));
  await listening(server, host, port);
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
