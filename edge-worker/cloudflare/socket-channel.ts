import type { BusyMemory } from "../../protocol/busy-memory.ts";
import type { ByteChannel } from "../../protocol/channel.ts";
import { messageOf, StreamError } from "../../protocol/errors.ts";
import { ReadBuffer } from "../egress/read-buffer.ts";

/** A ByteChannel over a socket of cloudflare:sockets that was opened with `allowHalfOpen: true`. */
export class SocketChannel implements ByteChannel {
  readonly #socket: Socket;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #buffer: ReadBuffer;
  #hasRead = false;
  #hasWritten = false;
  #failure: unknown;
  #onFailed: ((reason: unknown) => void) | undefined;

  constructor(socket: Socket, busy: BusyMemory) {
    this.#socket = socket;
    this.#buffer = new ReadBuffer(busy);
    this.#reader = socket.readable.getReader({ mode: "byob" });
    this.#writer = socket.writable.getWriter();
    socket.closed.catch((cause: unknown) => this.#fail(broken(cause)));
    // These reject along with it.
    this.#writer.closed.catch(() => {});
    this.#reader.closed.catch(() => {});
  }

  async read(): Promise<Uint8Array | null> {
    try {
      // BYOB detaches the buffer and gives its memory back under a new view. Default reads come
      // in pieces of 4 KiB and are four times slower.
      const { done, value } = await this.#reader.read(this.#buffer.take());
      if (done || value === undefined) {
        this.#hasRead = true;
        this.#closeIfOver();
        return null;
      }
      this.#buffer.giveBack(value);
      return value;
    } catch (error) {
      throw broken(error);
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      // Awaited: only the promise tells that the socket takes more (desiredSize does not).
      await this.#writer.write(chunk);
    } catch (error) {
      throw broken(error);
    }
  }

  async end(): Promise<void> {
    try {
      await this.#writer.close();
      this.#hasWritten = true;
      this.#closeIfOver();
    } catch (error) {
      throw broken(error);
    }
  }

  abort(reason: unknown): void {
    // Socket.close() waits until the target has taken all that was written, and for a target that
    // does not read it would wait for ever; unless the writer is closing: then it drops the rest.
    this.#writer.close().catch(() => {});
    this.#close();
    this.#fail(reason);
  }

  onceFailed(callback: (reason: unknown) => void): void {
    if (this.#failure === undefined) this.#onFailed = callback;
    else callback(this.#failure);
  }

  /** Both directions have ended: only now does workerd let go of the connection's descriptors. */
  #closeIfOver(): void {
    if (this.#hasRead && this.#hasWritten) this.#close();
  }

  #close(): void {
    this.#buffer.close();
    // Nothing but this: after writer.abort() or reader.cancel(), and when both ends have said FIN,
    // workerd keeps the descriptors until its collector runs (seen in 1.20261023.1). It says FIN, not
    // RST. Rejects when the socket has broken already: the connection is gone then.
    this.#socket.close().catch(() => {});
  }

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#buffer.close();
    this.#onFailed?.(reason);
  }
}

function broken(cause: unknown): StreamError {
  const text = `The connection broke: ${messageOf(cause)}`;
  return new StreamError("connection-reset", text, { cause });
}
