import type { Socket } from "node:net";
import type { Carrier, CarrierEvents } from "../../protocol/carrier.ts";
import type { ReadMemory } from "../../protocol/node/read-memory.ts";
import { adoptSocket } from "../../protocol/node/socket-reader.ts";
import { WsCarrier } from "../../protocol/node/ws-carrier.ts";

/**
 * Makes a carrier of the socket of an Upgrade request: sends `answer`, the 101. `head` is what has
 * come behind the request; `memory` is where idle carriers read into. `adopted` is told which socket
 * the connection goes on by.
 */
export function acceptCarrier(
  socket: Socket,
  head: Uint8Array,
  answer: string,
  memory: ReadMemory,
  adopted: (socket: Socket) => void,
): (events: CarrierEvents) => Carrier {
  if (head.length > 0) socket.unshift(head);
  const reading = adoptSocket(socket, memory);
  adopted(reading.socket);
  reading.socket.write(answer, "latin1");
  return (events) => new WsCarrier(reading, "server", events);
}
