import { type OnReadOpts, type Server, Socket, type SocketConstructorOpts } from "node:net";
import { ReadMemory } from "./read-memory.ts";

/** Takes the bytes that a socket reads. */
export interface ReadTaker {
  /** Where the next read may go. */
  readonly room: Uint8Array;
  /** Takes what was read, into the room or elsewhere, and returns whether to read on. */
  take(bytes: Uint8Array): boolean;
}

/** Reads a socket into memory that its taker uses again. */
export class SocketReader {
  readonly socket: Socket;
  readonly memory: ReadMemory;
  #taker: ReadTaker | undefined;

  /**
   * `open` makes the socket. Until there is a taker, the shared memory is the room, and what is read
   * waits in the socket.
   */
  constructor(memory: ReadMemory, open: (onread: OnReadOpts) => Socket) {
    this.memory = memory;
    this.socket = open({
      buffer: () => this.#taker?.room ?? memory.shared,
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

  /** The socket has closed: there is nothing more to take. */
  end(): void {
    this.#taker = undefined;
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
  return new SocketReader(new ReadMemory(0), () => socket);
}

/**
 * A reader for a socket that somebody else has made, with nothing waiting to be written. Node takes
 * `onread` at the birth of a socket alone, so a new one is made of what the old one had inside; under
 * TLS, where that cannot be, the old one is given it afterwards. Where neither can be, the socket is
 * read in Node's own way.
 */
export function adoptSocket(socket: Socket, memory: ReadMemory): SocketReader {
  const handle: unknown = Reflect.get(socket, HANDLE);
  const isFree = !socket.destroyed && socket.writableLength === 0;
  if (!handle || !isFree) return readPlainly(socket);
  if ("encrypted" in socket) return adoptInPlace(socket, handle, memory);
  const { allowHalfOpen } = socket;
  const unread = socket.read() as Buffer | null;
  Reflect.set(socket, HANDLE, null);
  const reader = new SocketReader(memory, (onread) => {
    return new Socket({ handle, allowHalfOpen, onread } as SocketConstructorOpts);
  });
  if (unread) reader.socket.unshift(unread);
  socket.destroy();
  return reader;
}

/** By what its socket finds what `onread` has said. */
const ON_READ = ["kBuffer", "kBufferCb", "kBufferGen"] as const;
/** Gives a handle the memory for its next read. */
const USE_BUFFER = "useUserBuffer";

/**
 * Does to a socket what its constructor does for `onread`. Else Node makes new memory for each record
 * of TLS, which is garbage outside of V8's heap: collecting it cost a third of all CPU time.
 */
function adoptInPlace(socket: Socket, handle: object, memory: ReadMemory): SocketReader {
  const useBuffer: unknown = Reflect.get(handle, USE_BUFFER);
  const symbols = Object.getOwnPropertySymbols(socket);
  const places = ON_READ.map((name) => symbols.find(({ description }) => description === name));
  const [atBuffer, atCallback, atNext] = places;
  if (typeof useBuffer !== "function" || !atBuffer || !atCallback || !atNext) {
    return readPlainly(socket);
  }
  return new SocketReader(memory, (onread) => {
    const next = typeof onread.buffer === "function" ? onread.buffer : null;
    const first = next?.() ?? onread.buffer;
    const callback: OnReadOpts["callback"] = (length, room) => onread.callback(length, room);
    Reflect.set(socket, atBuffer, first);
    Reflect.set(socket, atCallback, callback);
    Reflect.set(socket, atNext, next);
    Reflect.apply(useBuffer, handle, [first]);
    return socket;
  });
}

/** Where the handle of a server finds what to call for each connection. */
const ON_CONNECTION = "onconnection";

/**
 * Gives a reader for each connection that `server`, which listens already, accepts from now on. Node
 * makes a socket of each that would have to be made once more, as adoptSocket() does: so the handle is
 * taken before Node has it, where that can be.
 */
export function acceptReaders(
  server: Server,
  memory: ReadMemory,
  take: (reader: SocketReader) => void,
): void {
  server.on("connection", (socket) => take(adoptSocket(socket, memory)));
  const listening: unknown = Reflect.get(server, HANDLE);
  if (typeof listening !== "object" || listening === null) return;
  const accept: unknown = Reflect.get(listening, ON_CONNECTION);
  if (typeof accept !== "function") return;
  Reflect.set(listening, ON_CONNECTION, (error: unknown, handle: unknown) => {
    if (error || !handle) {
      Reflect.apply(accept, listening, [error, handle]);
      return;
    }
    const reader = new SocketReader(memory, (onread) => {
      return new Socket({ handle, allowHalfOpen: true, onread } as SocketConstructorOpts);
    });
    reader.socket.setNoDelay(true);
    take(reader);
  });
}
