import { WebSocket } from "ws";
import { type Admission, placeOf } from "../admission.ts";
import { carrierRefusal } from "../carrier-refusal.ts";
import { CarrierError } from "../errors.ts";
import type { Dial } from "../uplink.ts";
import { attachCarrier, webSocketOptions } from "./ws-carrier.ts";

const DIAL_TIMEOUT_MS = 10_000;

/** A Dial that opens `edge` (ws: or wss:) with a fresh token each time. */
export function createDial(edge: URL, admission: Admission): Dial {
  return async (signal) => {
    const token = await admission.issue(placeOf(edge), Date.now());
    if (signal.aborted) throw new CarrierError("ERR_CARRIER_LOST", "The agent is stopping");
    const socket = new WebSocket(edge, {
      ...webSocketOptions,
      handshakeTimeout: DIAL_TIMEOUT_MS,
      headers: { authorization: `Bearer ${token}` },
      // RFC 6455 section 10.3 masks against caches that read plain HTTP. Under TLS nobody on the
      // way can read, and `ws` leaves out the pass over every byte when the mask is zero.
      ...(edge.protocol === "wss:" ? { generateMask: zeroMask } : {}),
    });
    await opened(socket, signal);
    return (events) => attachCarrier(socket, events);
  };
}

/** Resolves once the WebSocket is open. @throws CarrierError; the socket is gone then */
async function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  const cancel = (): void => socket.terminate();
  signal.addEventListener("abort", cancel);
  try {
    await new Promise<void>((resolve, reject) => {
      // Stays for good: until the carrier listens, an error must not be without a listener.
      socket.on("error", (cause) => {
        reject(new CarrierError("ERR_CARRIER_LOST", cause.message, { cause }));
      });
      socket.once("open", resolve);
      socket.once("unexpected-response", (request, { statusCode }) => {
        request.destroy();
        reject(carrierRefusal(statusCode ?? 0));
      });
    });
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

function zeroMask(mask: Buffer): void {
  mask.fill(0);
}
