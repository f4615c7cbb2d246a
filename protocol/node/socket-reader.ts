import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

/** Takes the bytes that a socket reads. */
export interface ReadTaker {
  /** Where the next read may go. */
  readonly room: Uint8Array;
  /** Takes what was read, into the room or elsewhere, and returns whether to read on. */
  take(bytes: Uint8Array): boolean;
}

/** Room for the reads of sockets that have little to say. Many share it: see ReadTaker. */
export const SHARED_BYTES = 65_536;

/**
 * Reads a socket into memory that its taker uses again. Node's own way is a new buffer for each
 * read, outside of V8's heap but counted for it: collecting those took half of a relay's CPU time.
 */
export class SocketReader {
  readonly socket: Socket;
  readonly shared: Uint8Array;
  #taker: ReadTaker | undefined;

  /**
   * `open` makes the socket. Until there is a taker, `shared` is the room, and what is read waits in
   * the socket.
   */
  constructor(shared: Uint8Array, open: (onread: OnReadOpts) => Socket) {
    this.shared = shared;
    this.socket = open({
      buffer: () => this.#taker?.room ?? shared,
      callback: (length, room) => this.#onRead(room.subarray(0, length)),
    });
  }

  /** Gives what is read from now on to `taker`, and before that what waits in the socket. */
  start(taker: ReadTaker): void {
    this.#taker = taker;
    this.socket.on("data", this.#onData);
    this.socket.resume();
  }

  /** Reads on, after the taker has said no. */
  resume(): void {
    this.socket.resume();
  }

  /** Gives the socket to somebody else: what is read from now on are its "data" events. */
  release(): Socket {
    this.socket.off("data", this.#onData);
    this.socket.pause();
    this.#taker = undefined;
    return this.socket;
  }

  #onRead(bytes: Uint8Array): boolean {
    if (this.#taker) return this.#taker.take(bytes);
    return this.socket.push(Buffer.from(bytes));
  }

  readonly #onData = (chunk: Buffer): void => {
    // A plain Uint8Array: Buffer's slice() is a view, and code that copies must get a copy.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#taker?.take(bytes) === false) this.socket.pause();
  };
}

/** Where Node keeps what a socket has inside, in every version so far. */
const HANDLE = "_handle";

/** A reader for a socket that somebody else has made and that is read in Node's own way. */
export function readPlainly(socket: Socket): SocketReader {
  return new SocketReader(new Uint8Array(), () => socket);
}

/**
 * A reader for a socket that somebody else has made, with nothing waiting to be written. Node takes
 * `onread` at the birth of a socket alone, so a new one is made of what the old one had inside;
 * where that cannot be, as under TLS, the socket is read in Node's own way.
 */
export function adoptSocket(socket: Socket, shared: Uint8Array): SocketReader {
  const handle: unknown = Reflect.get(socket, HANDLE);
  const isFree = !socket.destroyed && socket.writableLength === 0;
  if (!handle || !isFree || "encrypted" in socket) return readPlainly(socket);
  const { allowHalfOpen } = socket;
  const unread = socket.read() as Buffer | null;
  Reflect.set(socket, HANDLE, null);
  const reader = new SocketReader(shared, (onread) => {
    return new Socket({ handle, allowHalfOpen, onread } as SocketConstructorOpts);
  });
  if (unread) reader.socket.unshift(unread);
  socket.destroy();
  return reader;
}
