import { type Admission, placeOf } from "../../protocol/admission.ts";
import { carrierRefusal } from "../../protocol/carrier-refusal.ts";
import { CarrierError, messageOf } from "../../protocol/errors.ts";
import type { Dial } from "../../protocol/uplink.ts";
import { acceptCarrier } from "./worker-carrier.ts";

const DIAL_TIMEOUT_MS = 10_000;

/** A Dial that opens `edge` (ws: or wss:) by fetch(), with a fresh token each time. */
export function dialEdge(edge: URL, admission: Admission): Dial {
  // What fetch() calls ws: and wss:, which the token is not bound to.
  const url = new URL(edge.href.replace(/^ws/, "http"));
  return async (signal) => {
    const token = await admission.issue(placeOf(edge), Date.now());
    const socket = await open(url, token, signal);
    return (events) => acceptCarrier(socket, events);
  };
}

async function open(url: URL, token: string, signal: AbortSignal): Promise<WebSocket> {
  const response = await fetch(url, {
    headers: { upgrade: "websocket", authorization: `Bearer ${token}` },
    // A redirect would have the token sent elsewhere.
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]),
  }).catch((cause: unknown) => {
    throw new CarrierError("ERR_CARRIER_LOST", messageOf(cause), { cause });
  });
  if (response.webSocket) return response.webSocket;
  await response.body?.cancel();
  throw carrierRefusal(response.status);
}
