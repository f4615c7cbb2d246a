import { type Admission, placeOf } from "../admission.ts";
import { CarrierError } from "../errors.ts";
import type { Dial } from "../uplink.ts";
import { openWebSocket } from "./open-websocket.ts";
import { ReadMemory } from "./read-memory.ts";
import { WsCarrier, type WsRole } from "./ws-carrier.ts";

/** A Dial that opens `edge` (ws: or wss:) with a fresh token each time. */
export function createDial(edge: URL, admission: Admission): Dial {
  const memory = new ReadMemory();
  return async (signal) => {
    const token = await admission.issue(placeOf(edge), Date.now());
    if (signal.aborted) throw new CarrierError("ERR_CARRIER_LOST", "The agent is stopping");
    const reading = await openWebSocket(edge, `Bearer ${token}`, memory, signal);
    const role = roleTo(edge.protocol, reading.socket.remoteAddress);
    return (events) => new WsCarrier(reading, role, events);
  };
}

/**
 * How to mask for an edge at the IP address `address`. What masks are against stands on the way and
 * reads plain HTTP (RFC 6455 section 10.3): under TLS it cannot, and to this machine nothing does.
 */
export function roleTo(protocol: string, address = ""): WsRole {
  const isLoopback = /^(?:::ffff:)?127\.|^::1$/.test(address);
  return protocol === "wss:" || isLoopback ? "client with a zero mask" : "client";
}
