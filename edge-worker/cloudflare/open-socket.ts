import type { Address } from "../../protocol/address.ts";

/** How a Worker opens a socket: connect(), or that of a network that the operator named. */
export type Connect = (address: SocketAddress, options: SocketOptions) => Socket;

/** A socket that is connected. @throws what the platform says, which is the same for every reason */
export async function openSocket(
  connect: Connect,
  { kind, host, port }: Address,
  secureTransport: "on" | "off",
): Promise<Socket> {
  const hostname = kind === "ipv6" ? `[${host}]` : host;
  const socket = connect({ hostname, port }, { allowHalfOpen: true, secureTransport });
  // Rejects along with `opened`, and on every later reset; both are heard of elsewhere.
  socket.closed.catch(() => {});
  // A failed dial looks like a clean end of `readable`: only `opened` tells.
  await socket.opened;
  return socket;
}
