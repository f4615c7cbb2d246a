import type { RawData, WebSocket } from "ws";
import type { Carrier, CarrierEvents } from "../carrier.ts";
import { CloseCode, MAX_MESSAGE } from "../wire.ts";

/** What both ends set on a `ws` socket. Deflate would cost more CPU than it saves wire. */
export const webSocketOptions = {
  perMessageDeflate: false,
  skipUTF8Validation: true,
  maxPayload: MAX_MESSAGE,
} as const;

/** How long a peer may take to answer our close frame before the socket is cut. */
const CLOSE_TIMEOUT_MS = 2000;

/** Makes a Carrier of an open WebSocket. */
export function attachCarrier(socket: WebSocket, events: CarrierEvents): Carrier {
  let failure = "";
  let cutTimer: NodeJS.Timeout | undefined;
  socket.binaryType = "nodebuffer";
  socket.on("message", (data: RawData, isBinary) => {
    if (isBinary && Buffer.isBuffer(data)) events.message(viewOf(data));
    else socket.close(CloseCode.Unsupported, "Binary messages only");
  });
  socket.on("error", (error) => (failure = error.message));
  socket.on("close", (code, reason) => {
    clearTimeout(cutTimer);
    events.closed(code, failure === "" ? reason.toString() : failure);
  });
  if (socket.readyState !== socket.OPEN) {
    // It closed before anybody listened, and will not say so again.
    queueMicrotask(() => events.closed(CloseCode.GoingAway, "The WebSocket had closed already"));
  }
  return {
    // Called with an error too, when the socket has closed: its memory is free either way.
    send: (message, done) => socket.send(message, () => done()),
    close: (code, reason) => {
      if (socket.readyState === socket.CLOSED) return;
      socket.close(code, reason);
      cutTimer ??= setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
    },
  };
}

/** A plain Uint8Array: Buffer's slice() is a view, and code that copies must get a copy. */
function viewOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
