import { createServer, type Socket } from "node:net";
import { listenOn } from "../../protocol/node/http-server.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Connections that are open now. */
  readonly count: number;
  /** Takes no new connections; those that are open go on. */
  close(): void;
  /** Resets the open connections too, as what is cut must not look complete. */
  destroy(): void;
}

/** Listens for clients. @throws the listener's own error (EADDRINUSE, EACCES ...) */
export async function listen(
  host: string,
  port: number,
  serve: (client: TcpChannel) => Promise<void>,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    void serve(new TcpChannel(socket));
  });
  const bound = await listenOn(server, host, port);
  return {
    host,
    port: bound,
    get count() {
      return sockets.size;
    },
    close: () => void server.close(),
    destroy: () => {
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
    },
  };
}
