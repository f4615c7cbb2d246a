import type { Socket } from "node:net";
import type { ByteChannel } from "../channel.ts";
import { messageOf, StreamError } from "../errors.ts";
import { PauseWatch } from "./pause-watch.ts";

/** Bytes that may wait here for read(); one more chunk of up to 64 KiB may be on its way in. */
const INBOX_BYTES = 65_536;
/** How often a paused socket is asked whether it is still there. */
const PAUSE_WATCH_MS = 5000;

interface Reader {
  readonly resolve: (chunk: Uint8Array | null) => void;
  readonly reject: (reason: unknown) => void;
}

/** A ByteChannel over a connected socket that was made with `allowHalfOpen: true`. */
export class TcpChannel implements ByteChannel {
  readonly #socket: Socket;
  readonly #pauseWatch: PauseWatch;
  readonly #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #hasEnded = false;
  #failure: unknown;
  #onFailed: ((reason: unknown) => void) | undefined;
  #reader: Reader | undefined;

  constructor(socket: Socket, pauseWatchMs: number = PAUSE_WATCH_MS) {
    this.#socket = socket;
    this.#pauseWatch = new PauseWatch(socket, pauseWatchMs);
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", (cause) => this.#fail(broken(cause)));
    socket.on("close", () => {
      if (!this.#hasEnded)
        this.#fail(new StreamError("connection-reset", "The connection was cut"));
    });
  }

  /** The IP address of our end, canonical; "" once the socket has gone. */
  get localHost(): string {
    return hostOf(this.#socket.localAddress);
  }

  /** The IP address of the far end, as localHost. */
  get remoteHost(): string {
    return hostOf(this.#socket.remoteAddress);
  }

  read(): Promise<Uint8Array | null> {
    const chunk = this.#inbox.shift();
    if (chunk) {
      this.#inboxBytes -= chunk.length;
      if (this.#inbox.length === 0 && this.#socket.isPaused()) this.#socket.resume();
      return Promise.resolve(chunk);
    }
    if (this.#hasEnded) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(chunk, (cause) => {
        if (cause) reject(this.#failure ?? broken(cause));
        else resolve();
      });
    });
  }

  async end(): Promise<void> {
    this.#socket.end();
  }

  abort(reason: unknown): void {
    // RST, so that whoever is at the other end does not take a cut transfer for a complete one.
    this.#socket.resetAndDestroy();
    this.#inbox.length = 0;
    this.#fail(reason);
  }

  onceFailed(callback: (reason: unknown) => void): void {
    if (this.#failure === undefined) this.#onFailed = callback;
    else callback(this.#failure);
  }

  /**
   * Gives the socket to another reader, paused, with `unread` and what waits here in front of the
   * rest. This channel goes on to write, to end, and to tell by a failed read() that all is over.
   */
  release(unread: Uint8Array): Socket {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.pause();
    const waiting = [unread, ...this.#inbox.splice(0)];
    this.#inboxBytes = 0;
    for (const chunk of waiting.toReversed()) if (chunk.length > 0) this.#socket.unshift(chunk);
    return this.#socket;
  }

  readonly #onData = (chunk: Buffer): void => this.#take(chunk);

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.#wake()?.resolve(null);
  };

  #take(buffer: Buffer): void {
    // A plain Uint8Array: Buffer's slice() is a view, and code that copies must get a copy.
    const chunk = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    const reader = this.#wake();
    if (reader) return reader.resolve(chunk);
    this.#inbox.push(chunk);
    this.#inboxBytes += chunk.length;
    if (this.#inboxBytes < INBOX_BYTES) return;
    this.#socket.pause();
    this.#pauseWatch.start();
  }

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    if (!this.#hasEnded) this.#wake()?.reject(reason);
    this.#onFailed?.(reason);
  }

  #wake(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }
}

function broken(cause: unknown): StreamError {
  return new StreamError("connection-reset", `The connection broke: ${messageOf(cause)}`, {
    cause,
  });
}

/** A dual-stack socket shows IPv4 addresses as ::ffff:a.b.c.d. */
function hostOf(address = ""): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
