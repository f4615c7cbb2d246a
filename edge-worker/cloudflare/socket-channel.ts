import type { ByteChannel } from "../../protocol/channel.ts";
import { messageOf, StreamError } from "../../protocol/errors.ts";
import { ReadBuffer, type ReadPool } from "../egress/read-buffer.ts";

/** A ByteChannel over a socket of cloudflare:sockets that was opened with `allowHalfOpen: true`. */
export class SocketChannel implements ByteChannel {
  readonly #socket: Socket;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #buffer: ReadBuffer;
  #failure: unknown;
  #onFailed: ((reason: unknown) => void) | undefined;

  constructor(socket: Socket, pool: ReadPool) {
    this.#socket = socket;
    this.#buffer = new ReadBuffer(pool);
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
      if (done || value === undefined) return null;
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
    } catch (error) {
      throw broken(error);
    }
  }

  abort(reason: unknown): void {
    // close() alone: after writer.abort() or reader.cancel() workerd keeps the connection until
    // the whole invocation ends (seen in 1.20261023.1). It says FIN, not RST, and what was being
    // written goes out first. Rejects when the socket has broken already, which is as good.
    this.#socket.close().catch(() => {});
    this.#fail(reason);
  }

  onceFailed(callback: (reason: unknown) => void): void {
    if (this.#failure === undefined) this.#onFailed = callback;
    else callback(this.#failure);
  }

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#onFailed?.(reason);
  }
}

function broken(cause: unknown): StreamError {
  const text = `The connection broke: ${messageOf(cause)}`;
  return new StreamError("connection-reset", text, { cause });
}
