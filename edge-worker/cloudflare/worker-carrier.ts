import type { Carrier, CarrierEvents } from "../../protocol/carrier.ts";
import { CloseCode } from "../../protocol/wire.ts";

/** Makes a Carrier of the server end of a WebSocketPair, which it accepts. */
export function acceptCarrier(socket: WebSocket, listener: CarrierEvents): Carrier {
  // Before accept(): from compatibility date 2026-03-17 the default is "blob".
  socket.binaryType = "arraybuffer";
  socket.accept();
  // Until it is closed. workerd may keep a WebSocket, with its listeners, for long after a reset.
  let events: CarrierEvents | undefined = listener;
  const closed = (code: number, reason: string): void => {
    const told = events;
    events = undefined;
    told?.closed(code, reason);
  };
  socket.addEventListener("message", ({ data }) => {
    if (data instanceof ArrayBuffer) events?.message(new Uint8Array(data));
    else socket.close(CloseCode.Unsupported, "Binary messages only");
  });
  socket.addEventListener("close", ({ code, reason }) => closed(code, reason));
  socket.addEventListener("error", ({ message }) => closed(CloseCode.GoingAway, message));
  return {
    leavesBytes: true,
    // send() queues without bound and reports nothing (workerd#988). The carrier window bounds
    // that queue: ARCHITECTURE.md, "Where bytes may wait". It throws once the socket has closed.
    send: (message, done) => {
      if (events) socket.send(message);
      // It has copied the bytes.
      done();
    },
    close: (code, reason) => {
      if (events) socket.close(code, reason);
      closed(code, reason);
    },
  };
}
