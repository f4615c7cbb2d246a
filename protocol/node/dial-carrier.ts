import { type Admission, placeOf } from "../admission.ts";
import { CarrierError } from "../errors.ts";
import type { Dial } from "../uplink.ts";
import { openWebSocket } from "./open-websocket.ts";
import { ReadMemory } from "./read-memory.ts";
import { WsCarrier } from "./ws-carrier.ts";

/** A Dial that opens `edge` (ws: or wss:) with a fresh token each time. */
export function createDial(edge: URL, admission: Admission): Dial {
  const memory = new ReadMemory();
  const role = edge.protocol === "wss:" ? "client with a zero mask" : "client";
  return async (signal) => {
    const token = await admission.issue(placeOf(edge), Date.now());
    if (signal.aborted) throw new CarrierError("ERR_CARRIER_LOST", "The agent is stopping");
    const reading = await openWebSocket(edge, `Bearer ${token}`, memory, signal);
    return (events) => new WsCarrier(reading, role, events);
  };
}
