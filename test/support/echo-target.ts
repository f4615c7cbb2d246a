import { createSocket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { startTarget } from "./target.ts";

/** A TCP port for the running test that sends back what it gets, to the end. */
export async function startEcho(): Promise<number> {
  const target = await startTarget((socket) => void socket.pipe(socket));
  onTestFinished(() => target.close());
  return target.port;
}

/** A UDP port for the running test that answers each datagram by `answer`. */
export async function startUdpTarget(answer: (request: Buffer) => Uint8Array): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, { address, port }) => socket.send(answer(bytes), port, address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => {
    socket.close();
  });
  return socket.address().port;
}
