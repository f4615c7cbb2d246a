import type { ByteChannel } from "./channel.ts";
import { HandshakeError } from "./errors.ts";

/** Reads exact lengths and keeps what it over-read, so that pipelined bytes are never lost. */
export class ExactReader {
  readonly #channel: ByteChannel;
  #buffer: Uint8Array = new Uint8Array();

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  /** Bytes that came behind the last ones asked for. */
  get rest(): Uint8Array {
    return this.#buffer;
  }

  /** The next byte, which stays where it is. */
  async peek(): Promise<number> {
    await this.#fill(1);
    return this.#buffer[0] ?? 0;
  }

  async exactly(length: number): Promise<Uint8Array> {
    await this.#fill(length);
    return this.takeNow(length) ?? new Uint8Array();
  }

  /** The same of what has been read already; undefined when that is less. */
  takeNow(length: number): Uint8Array | undefined {
    if (this.#buffer.length < length) return undefined;
    const head = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return head;
  }

  /** All up to and with the first `mark`, which must end within `limit` bytes. */
  async through(mark: Uint8Array, limit: number): Promise<Uint8Array> {
    for (let from = 0; ;) {
      const end = endOf(mark, this.#buffer, from);
      if ((end ?? this.#buffer.length) > limit) {
        const text = `Cannot finish the handshake: it is longer than ${limit} bytes`;
        throw new HandshakeError("ERR_HANDSHAKE", text);
      }
      if (end !== undefined) return this.exactly(end);
      // A mark may begin at the end of one chunk and go on in the next.
      from = Math.max(0, this.#buffer.length - mark.length + 1);
      await this.#fill(this.#buffer.length + 1);
    }
  }

  async #fill(length: number): Promise<void> {
    while (this.#buffer.length < length) {
      const chunk = await this.#channel.read();
      if (!chunk) {
        throw new HandshakeError(
          "ERR_HANDSHAKE_EOF",
          "Cannot finish the handshake: the other side left",
        );
      }
      this.#buffer = concat(this.#buffer, chunk);
    }
  }
}

/** Where the first `mark` in `bytes` at or behind `from` ends; undefined when there is none. */
function endOf(mark: Uint8Array, bytes: Uint8Array, from: number): number | undefined {
  for (let at = from; at + mark.length <= bytes.length; at++) {
    if (mark.every((byte, i) => bytes[at + i] === byte)) return at + mark.length;
  }
  return undefined;
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
