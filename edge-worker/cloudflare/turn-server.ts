import { connect } from "cloudflare:sockets";
import { BusyMemory } from "../../protocol/busy-memory.ts";
import { messageOf, StreamError } from "../../protocol/errors.ts";
import type { Log } from "../../protocol/log.ts";
import type { DialQueue } from "../egress/dial-queue.ts";
import type { TurnServer } from "../egress/turn/turn-server.ts";
import { openSocket } from "./open-socket.ts";
import { SocketChannel } from "./socket-channel.ts";
import { workerClock } from "./worker-clock.ts";
import type { WorkerSettings } from "./worker-env.ts";

/** The TURN server of the settings, if any; its dials wait in the line of all others. */
export function turnServerOf(
  { turn, connectToTurn = connect }: Pick<WorkerSettings, "turn" | "connectToTurn">,
  queue: DialQueue,
  log: Log,
): TurnServer | undefined {
  if (!turn) return undefined;
  const { url, username, password } = turn;
  const busy = new BusyMemory();
  return {
    clock: workerClock,
    log,
    username,
    password,
    // An extension of workerd's: WebCrypto itself has no MD5.
    md5: async (bytes) => new Uint8Array(await crypto.subtle.digest("MD5", bytes)),
    dial: async (signal) => {
      const secureTransport = url.isSecure ? "on" : "off";
      try {
        const socket = await queue.run(turn, signal, () =>
          openSocket(connectToTurn, url.server, secureTransport),
        );
        return new SocketChannel(socket, busy);
      } catch (cause) {
        signal.throwIfAborted();
        const text = `Cannot connect to the TURN server: ${JSON.stringify(messageOf(cause))}`;
        throw new StreamError("host-unreachable", text, { cause });
      }
    },
  };
}
