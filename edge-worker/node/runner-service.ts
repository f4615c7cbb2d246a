import { createServer, type ServerResponse } from "node:http";
import { listenAt } from "../../protocol/node/listening.ts";
import type { AccessEntries } from "../users/access.ts";

export interface RunnerService {
  /** Tells those that wait, and those that will, that the edge stops within `drainMs`. */
  stop(drainMs: number): void;
  /** Other keys and rules hold from now on. */
  replace(access: AccessEntries): void;
  close(): void;
}

/**
 * What a Worker on workerd asks whoever runs it: for its keys and rules, and whether it is to stop.
 * The answer to a question about what is not yet is given when it is. It asks by a Unix socket in a
 * folder that only we can enter, and nobody can ask the Worker.
 */
export async function serveRunner(path: string, access: AccessEntries): Promise<RunnerService> {
  const forStop = new Set<ServerResponse>();
  const forChange = new Set<ServerResponse>();
  let version = 1;
  let current = access;
  let drainMs: number | undefined;
  const tellAccess = (response: ServerResponse): void =>
    void response.end(JSON.stringify({ version, ...current }));
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://runner");
    if (pathname === "/access") {
      if (searchParams.get("seen") !== String(version)) return tellAccess(response);
      return wait(forChange, response);
    }
    if (drainMs !== undefined) return void response.end(String(drainMs));
    wait(forStop, response);
  });
  await listenAt(server, { path });
  return {
    stop: (milliseconds) => {
      drainMs = milliseconds;
      for (const response of forStop) response.end(String(milliseconds));
    },
    replace: (entries) => {
      current = entries;
      version++;
      for (const response of forChange) tellAccess(response);
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function wait(waiting: Set<ServerResponse>, response: ServerResponse): void {
  waiting.add(response);
  response.on("close", () => waiting.delete(response));
}
