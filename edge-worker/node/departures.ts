import type { Socket } from "node:net";

/**
 * Who is to be told when a connection ends, also when another socket takes it over: a carrier reads
 * by a socket of its own (adoptSocket()), and the first one is closed then.
 */
export class Departures {
  readonly #bySocket = new WeakMap<Socket, Set<() => void>>();

  /** Calls `leave` once the connection of `socket` has ended. */
  add(socket: Socket, leave: () => void): void {
    const leaves = this.#bySocket.get(socket);
    if (leaves) leaves.add(leave);
    else this.#watch(socket, new Set([leave]));
  }

  /** The connection goes on by `next`; nothing changes where that is the same socket. */
  move(socket: Socket, next: Socket): void {
    const leaves = this.#bySocket.get(socket);
    if (!leaves || socket === next) return;
    this.#bySocket.delete(socket);
    this.#watch(next, leaves);
  }

  #watch(socket: Socket, leaves: Set<() => void>): void {
    this.#bySocket.set(socket, leaves);
    socket.once("close", () => {
      for (const leave of this.#bySocket.get(socket) ?? []) leave();
    });
  }
}
