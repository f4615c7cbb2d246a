import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Address, parseAddress } from "../../protocol/address.ts";

/** A UDP socket on loopback for a test. */
export interface UdpPeer {
  readonly address: Address;
  /** The next datagram that comes in, and where it came from. */
  next(): Promise<{ bytes: Uint8Array; from: RemoteInfo }>;
  /** Datagrams that came in so far. */
  readonly received: readonly Uint8Array[];
  /** Resolves once the datagram has left. */
  send(bytes: Uint8Array, port: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a socket; an echo answers each datagram with itself. */
export async function openUdpPeer(host = "127.0.0.1", isEcho = false): Promise<UdpPeer> {
  const socket: Socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const received: Uint8Array[] = [];
  socket.on("message", (buffer, { address, port }) => {
    received.push(Uint8Array.from(buffer));
    if (isEcho) socket.send(buffer, port, address);
  });
  socket.bind(0, host);
  await once(socket, "listening");
  return {
    address: parseAddress(host, socket.address().port),
    received,
    next: async () => {
      const [buffer, from] = (await once(socket, "message")) as [Buffer, RemoteInfo];
      return { bytes: Uint8Array.from(buffer), from };
    },
    send: (bytes, port) =>
      new Promise((resolve, reject) => {
        socket.send(bytes, port, host, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}
