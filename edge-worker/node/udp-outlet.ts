import { createSocket } from "node:dgram";
import { parseAddress } from "../../protocol/address.ts";
import type { OpenOutlet } from "../egress/outlet.ts";

/** Bytes that may wait for a socket to send them; a flood beyond it is dropped, newest first. */
const MAX_WAITING_BYTES = 262_144;
/** What a datagram costs beside its payload, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64;

/** A UDP socket of this machine, on a port of the system's choice. */
export const openUdpOutlet: OpenOutlet = (family, { take }) => {
  const socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
  let waitingBytes = 0;
  let isClosed = false;
  socket.on("message", (buffer, { address, port }) => {
    // A plain Uint8Array: Buffer's slice() is a view, and code that copies must get a copy.
    const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    take(parseAddress(address.replace(/%.*$/, ""), port), bytes);
  });
  // A machine without this address family: the datagrams that waited are gone.
  socket.on("error", () => (waitingBytes = 0));
  return {
    send: ({ host, port }, bytes) => {
      const cost = bytes.length + OVERHEAD_BYTES;
      if (isClosed || waitingBytes + cost > MAX_WAITING_BYTES) return false;
      waitingBytes += cost;
      // Copied: the socket sends in a later turn. An error is for a datagram of the past, and
      // nothing that a client of UDP could be told.
      socket.send(bytes.slice(), port, host, () => (waitingBytes -= cost));
      return true;
    },
    forget: () => {},
    close: () => {
      if (!isClosed) socket.close();
      isClosed = true;
    },
  };
};
