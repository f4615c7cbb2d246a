import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { ByteChannel } from "../channel.ts";
import { messageOf, StreamError } from "../errors.ts";
import { PauseWatch } from "./pause-watch.ts";
import type { ReadTaker, SocketReader } from "./socket-reader.ts";

/** Bytes that may wait here for read(); one more chunk of up to 64 KiB may be on its way in. */
const INBOX_BYTES = 65_536;
/** How often a socket that is not read is asked whether it is still there. */
const PAUSE_WATCH_MS = 5000;

/** Puts nothing on the wire, and is written once all before it has been. */
const NOTHING = new Uint8Array();
/** What was written has gone to the kernel already. */
const written = Promise.resolve();

/** What was read, and what becomes of its memory once the reader has asked for more. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly release?: () => void;
}

interface Reader {
  readonly resolve: (chunk: Uint8Array | null) => void;
  readonly reject: (reason: unknown) => void;
}

/** A ByteChannel over a connected socket that was made with `allowHalfOpen: true`. */
export class TcpChannel implements ByteChannel, ReadTaker {
  readonly #reading: SocketReader;
  readonly #socket: Socket;
  readonly #pauseWatchMs: number;
  /** Made for the first pause: most sockets never have one. */
  #pauseWatch: PauseWatch | undefined;
  readonly #inbox: Chunk[] = [];
  /** Room of our own, while the last read was a large one. */
  #own: Uint8Array<ArrayBuffer> | undefined;
  /** What the reader has, and gives back by asking for more. */
  #lent: Chunk | undefined;
  #inboxBytes = 0;
  #isStopped = false;
  #hasEnded = false;
  #failure: unknown;
  #onFailed: ((reason: unknown) => void) | undefined;
  #reader: Reader | undefined;

  constructor(reading: SocketReader, pauseWatchMs: number = PAUSE_WATCH_MS) {
    this.#reading = reading;
    this.#socket = reading.socket;
    this.#pauseWatchMs = pauseWatchMs;
    reading.start(this);
    this.#socket.on("end", this.#onEnd);
    this.#socket.on("error", (cause) => this.#fail(broken(cause)));
    this.#socket.on("close", this.#onClose);
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
    this.#settle();
    const chunk = this.#inbox.shift();
    if (chunk) {
      this.#inboxBytes -= chunk.bytes.length;
      return Promise.resolve(this.#lend(chunk));
    }
    if (this.#hasEnded) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isStopped) {
      this.#isStopped = false;
      this.#reading.resume();
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(chunk: Uint8Array): Promise<void> {
    const socket = this.#socket;
    socket.write(chunk);
    // So it is nearly always, and then a callback would cost more than all the rest.
    if (socket.writableLength === 0 && socket.writable) return written;
    return new Promise((resolve, reject) => {
      socket.write(NOTHING, (cause) => {
        if (cause) reject(this.#failure ?? broken(cause));
        else resolve();
      });
    });
  }

  async end(): Promise<void> {
    // When all is said both ways, closing says FIN as well, for one call of the system less.
    if (this.#hasEnded && this.#socket.writableLength === 0) this.#socket.destroy();
    else this.#socket.end();
  }

  abort(reason: unknown): void {
    // RST, so that whoever is at the other end does not take a cut transfer for a complete one.
    // By TLS there is only closing: Node throws at a reset.
    // Nor while a FIN behind all that was written is on its way: libuv refuses (EINVAL), and Node
    // would never say "close".
    const { writableEnded, writableFinished, writableLength } = this.#socket;
    const isEnding = writableEnded && !writableFinished && writableLength === 0;
    if (isEnding || this.#socket instanceof TLSSocket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
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
    this.#reading.release();
    // What is unread may lie in them.
    this.#lent = undefined;
    this.#abandonRoom();
    this.#isStopped = false;
    this.#socket.off("end", this.#onEnd);
    const waiting = [unread, ...this.#inbox.splice(0).map(({ bytes }) => bytes)];
    this.#inboxBytes = 0;
    for (const chunk of waiting.toReversed()) if (chunk.length > 0) this.#socket.unshift(chunk);
    return this.#socket;
  }

  get room(): Uint8Array {
    return this.#own ?? this.#reading.memory.shared;
  }

  take(bytes: Uint8Array): boolean {
    const isOwn = bytes.buffer === this.#own?.buffer;
    const chunk = this.#chunkOf(bytes);
    const reader = this.#wake();
    if (reader) reader.resolve(this.#lend(chunk));
    else {
      this.#inbox.push(chunk);
      this.#inboxBytes += bytes.length;
    }
    this.#isStopped = isOwn || this.#inboxBytes >= INBOX_BYTES;
    if (this.#isStopped) this.#watchPause();
    return !this.#isStopped;
  }

  #watchPause(): void {
    this.#pauseWatch ??= new PauseWatch(
      this.#socket,
      this.#pauseWatchMs,
      () => !this.#isStopped && !this.#socket.isPaused(),
    );
    this.#pauseWatch.start();
  }

  /** Decides about the room of the next read, too: Node asks for that as soon as take() is done. */
  #chunkOf(bytes: Uint8Array): Chunk {
    const { memory } = this.#reading;
    const own = this.#own;
    if (bytes.buffer === memory.shared.buffer) {
      // A read may have been prepared before the room was ours.
      if (bytes.length === this.room.length) this.#own = memory.large();
      // What lies in shared memory is overwritten by the next socket that has something to say.
      const copy = memory.copy(bytes);
      return { bytes: copy, release: () => memory.releaseCopy(copy) };
    }
    if (!own || bytes.buffer !== own.buffer) return { bytes };
    const next = memory.roomAfter(own, bytes.length);
    if (next === own) return { bytes };
    this.#own = next;
    return { bytes, release: () => memory.release(own) };
  }

  #abandonRoom(): void {
    if (this.#own) this.#reading.memory.abandon(this.#own);
    this.#own = undefined;
  }

  #lend(chunk: Chunk): Uint8Array {
    this.#lent = chunk;
    return chunk.bytes;
  }

  #settle(): void {
    this.#lent?.release?.();
    this.#lent = undefined;
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.#wake()?.resolve(null);
  };

  readonly #onClose = (): void => {
    if (!this.#hasEnded) this.#fail(new StreamError("connection-reset", "The connection was cut"));
    // V8 keeps a closed socket until it collects old objects, and with it all that can be reached.
    this.#onFailed = undefined;
    this.#abandonRoom();
    this.#reading.end();
  };

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    // Somebody may still be writing it: it is not used again.
    this.#lent = undefined;
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
