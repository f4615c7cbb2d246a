import { connect, type Socket } from "node:net";
import { startTarget } from "./target.ts";
import { readExactly } from "./socks-client.ts";

/** A SOCKS5 server that says yes to everything, and has one target for all of it. */
export interface FakeSocksServer {
  readonly port: number;
  /** "host:port" of each request, a name or an IPv4 address. */
  readonly asked: string[];
  close(): Promise<void>;
}

export async function startFakeSocksServer(targetPort: number): Promise<FakeSocksServer> {
  const asked: string[] = [];
  const server = await startTarget((socket) => {
    serve(socket, targetPort, asked).catch(() => socket.destroy());
  });
  return { port: server.port, asked, close: () => server.close() };
}

async function serve(socket: Socket, targetPort: number, asked: string[]): Promise<void> {
  const [, count = 0] = await readExactly(socket, 2);
  await readExactly(socket, count);
  socket.write(Uint8Array.of(5, 0));
  const [, , , type] = await readExactly(socket, 4);
  const host = await hostOf(type ?? 0, socket);
  const [high = 0, low = 0] = await readExactly(socket, 2);
  asked.push(`${host}:${high * 256 + low}`);
  const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
  target.on("error", () => socket.destroy());
  socket.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
  socket.pipe(target).pipe(socket);
}

async function hostOf(type: number, socket: Socket): Promise<string> {
  if (type === 1) return [...(await readExactly(socket, 4))].join(".");
  const [length = 0] = await readExactly(socket, 1);
  return new TextDecoder().decode(await readExactly(socket, length));
}
