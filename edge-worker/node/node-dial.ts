import { connect, isIP, type Socket } from "node:net";
import { type Address, parseAddress, UNSPECIFIED } from "../../protocol/address.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { ReadMemory } from "../../protocol/node/read-memory.ts";
import { SocketReader } from "../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import type { Connection } from "../egress/egress.ts";
import { failureOf } from "./node-failure.ts";

/**
 * Connects to an address, never to a name. `signal` ends the attempt, and nothing after it; `memory`
 * is where calm targets are read into.
 */
export function dialAddress(
  target: Address,
  signal: AbortSignal,
  memory: ReadMemory,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    if (target.kind === "name") {
      return reject(new StreamError("general", "Cannot connect: the name was not resolved"));
    }
    const { host, port } = target;
    const reading = new SocketReader(memory, (onread) =>
      connect({ host, port, allowHalfOpen: true, noDelay: true, onread }),
    );
    const { socket } = reading;
    const cancel = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (cause: Error): void => {
      signal.removeEventListener("abort", cancel);
      reject(failureOf("connect", cause));
    };
    signal.addEventListener("abort", cancel);
    socket.on("error", fail);
    socket.on("connect", () => {
      signal.removeEventListener("abort", cancel);
      socket.off("error", fail);
      resolve({ channel: new TcpChannel(reading), bound: boundOf(socket) });
    });
  });
}

function boundOf(socket: Socket): Address {
  const { localAddress, localPort } = socket;
  if (localAddress === undefined || localPort === undefined) return UNSPECIFIED;
  return isIP(localAddress) === 0 ? UNSPECIFIED : parseAddress(localAddress, localPort);
}
