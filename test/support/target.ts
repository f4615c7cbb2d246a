import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** A TCP server on loopback for a test; `close()` cuts what is open. */
export interface Target {
  readonly port: number;
  readonly sockets: ReadonlySet<Socket>;
  /** The next connection that comes in. */
  next(): Promise<Socket>;
  close(): Promise<void>;
}

export async function startTarget(
  serve: (socket: Socket) => void = () => {},
  host = "127.0.0.1",
  port = 0,
): Promise<Target> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A reset is part of many tests; whoever cares listens too.
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    next: async () => {
      const [socket] = (await once(server, "connection")) as [Socket];
      return socket;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A loopback port where nothing listens: it was free a moment ago. */
export async function closedPort(): Promise<number> {
  const target = await startTarget();
  await target.close();
  return target.port;
}
