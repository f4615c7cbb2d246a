import type { Socket } from "node:net";

const NOTHING = new Uint8Array();

/**
 * Finds out about a reset while nobody reads. libuv watches a socket for what it wants of it, and of a
 * paused one it wants nothing: not even the RST of the far side is told before reading goes on, which
 * may be never. A write of no bytes puts nothing on the wire, and fails if the connection has.
 */
export class PauseWatch {
  readonly #socket: Socket;
  readonly #intervalMs: number;
  readonly #isRead: () => boolean;
  #isWaiting = false;

  /** `isRead` tells whether libuv is told to read: that need not be a state of the stream. */
  constructor(socket: Socket, intervalMs: number, isRead: () => boolean) {
    this.#socket = socket;
    this.#intervalMs = intervalMs;
    this.#isRead = isRead;
  }

  /** The socket has been paused. Cheap, as this may be so for every chunk. */
  start(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    setTimeout(() => this.#look(), this.#intervalMs).unref();
  }

  #look(): void {
    this.#isWaiting = false;
    if (this.#socket.destroyed || this.#isRead()) return;
    // With bytes under way libuv is told anyway, and after our FIN nothing can be written.
    if (this.#socket.writable && this.#socket.writableLength === 0) this.#socket.write(NOTHING);
    this.start();
  }
}
