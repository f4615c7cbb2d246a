import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { parseAddress } from "../../protocol/address.ts";
import type { OpenUdp } from "../listeners/udp-relay.ts";

/** What a datagram costs beside its bytes, so that small ones are bounded too. */
const OVERHEAD_BYTES = 64;

/**
 * Opens UDP sockets for the clients of associations; `queueBytes` may wait in each for the kernel, and
 * what comes beyond that is dropped. The opener throws the socket's own error.
 */
export function createOpenUdp(queueBytes: number): OpenUdp {
  return async (host, take) => {
    const socket = createSocket({
      type: isIPv6(host) ? "udp6" : "udp4",
      recvBufferSize: 1_048_576,
    });
    socket.bind(0, host);
    await once(socket, "listening");
    // "Port unreachable" from a client that has gone: its TCP connection tells the same.
    socket.on("error", () => {});
    socket.on("message", (bytes, { address, port }) => take(parseAddress(address, port), bytes));
    const { address, port } = socket.address();
    // Counted here: what the socket says of its queue leaves out those of this turn.
    let waitingBytes = 0;
    return {
      bound: parseAddress(address, port),
      send: (to, bytes) => {
        const cost = bytes.length + OVERHEAD_BYTES;
        if (waitingBytes + cost > queueBytes) return false;
        waitingBytes += cost;
        socket.send(bytes, to.port, to.host, () => (waitingBytes -= cost));
        return true;
      },
      close: () => void socket.close(),
    };
  };
}
