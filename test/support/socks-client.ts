import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** A SOCKS5 client that is only as clever as a test needs: it speaks bytes and keeps them. */
export interface SocksClient {
  readonly socket: Socket;
  /** REP of the answer. */
  readonly rep: number;
}

/** Connects through the proxy; `host` goes as ATYP 1, 3 or 4, whatever it looks like. */
export async function socksConnect(
  proxyPort: number,
  host: string,
  port: number,
): Promise<SocksClient> {
  const socket = connect({
    host: "127.0.0.1",
    port: proxyPort,
    allowHalfOpen: true,
    noDelay: true,
  });
  await once(socket, "connect");
  socket.write(Uint8Array.of(5, 1, 0));
  await readExactly(socket, 2);
  socket.write(Uint8Array.of(5, 1, 0, ...encodeHost(host), port >> 8, port & 0xff));
  // VER | REP | RSV | ATYP, then the bound address and port.
  const [, rep = -1, , type] = await readExactly(socket, 4);
  await readExactly(socket, type === 4 ? 18 : 6);
  return { socket, rep };
}

function encodeHost(host: string): number[] {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return [1, ...host.split(".").map(Number)];
  if (host === "::1") return [4, ...Array.from({ length: 15 }, () => 0), 1];
  return [3, host.length, ...Buffer.from(host)];
}

/** The next `length` bytes; what comes behind them stays in the socket. */
export async function readExactly(socket: Socket, length: number): Promise<Uint8Array> {
  for (;;) {
    const bytes: Buffer | null = socket.read(length);
    if (bytes?.length === length) return bytes;
    if (bytes) throw new Error(`The connection ended after ${bytes.length} of ${length} bytes`);
    if (socket.readableEnded || socket.destroyed) throw new Error("The connection ended");
    const waiting = new AbortController();
    const event = (name: string) => once(socket, name, { signal: waiting.signal }).catch(() => {});
    await Promise.race([event("readable"), event("end"), event("close")]);
    waiting.abort();
    // With some of the bytes there, "readable" comes at once: the others need a turn to come in.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Everything until the far side ends. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
