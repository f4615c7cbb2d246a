import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { parseAddress } from "../../protocol/address.ts";
import type { OpenUdp } from "../listeners/udp-relay.ts";

/** Bytes that may wait in a socket for the kernel; beyond that, datagrams are dropped. */
const MAX_QUEUED_BYTES = 1_048_576;

/** Opens a UDP socket for an association's client. @throws the socket's own error */
export const openUdp: OpenUdp = async (host, take) => {
  const socket = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", recvBufferSize: 1_048_576 });
  socket.bind(0, host);
  await once(socket, "listening");
  // "Port unreachable" from a client that has gone: its TCP connection tells the same.
  socket.on("error", () => {});
  socket.on("message", (bytes, { address, port }) => take(parseAddress(address, port), bytes));
  const { address, port } = socket.address();
  return {
    bound: parseAddress(address, port),
    send: (to, bytes) => {
      if (socket.getSendQueueSize() <= MAX_QUEUED_BYTES) socket.send(bytes, to.port, to.host);
    },
    close: () => void socket.close(),
  };
};
