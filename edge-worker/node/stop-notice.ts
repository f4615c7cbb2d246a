import { createServer, type ServerResponse } from "node:http";
import { listenAt } from "../../protocol/node/listening.ts";

export interface StopNotice {
  /** Tells those that wait, and those that will, that the edge stops within `drainMs`. */
  give(drainMs: number): void;
  close(): void;
}

/**
 * How a Worker on workerd hears that it is to stop: it asks, and gets its answer when that is so.
 * It asks by a Unix socket in a folder that only we can enter, and nobody can ask the Worker.
 */
export async function serveStopNotice(path: string): Promise<StopNotice> {
  const waiting = new Set<ServerResponse>();
  let drainMs: number | undefined;
  const server = createServer((_request, response) => {
    if (drainMs !== undefined) return void response.end(String(drainMs));
    waiting.add(response);
    response.on("close", () => waiting.delete(response));
  });
  await listenAt(server, { path });
  return {
    give: (milliseconds) => {
      drainMs = milliseconds;
      for (const response of waiting) response.end(String(milliseconds));
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
