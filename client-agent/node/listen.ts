import { createServer, type Socket } from "node:net";
import { listenOn } from "../../protocol/node/http-server.ts";
import { ReadMemory } from "../../protocol/node/read-memory.ts";
import { acceptReaders } from "../../protocol/node/socket-reader.ts";
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

/** Listens for clients, on a shared port if so. @throws as listenOn() */
export async function listen(
  host: string,
  port: number,
  serve: (client: TcpChannel) => Promise<void>,
  isShared = false,
): Promise<Listener> {
  const memory = new ReadMemory();
  const sockets = new Set<Socket>();
  // Paused: their readers start to read.
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  const bound = await listenOn(server, host, port, isShared);
  acceptReaders(server, memory, (reading) => {
    const { socket } = reading;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    void serve(new TcpChannel(reading));
  });
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
