import type { ByteChannel } from "./channel.ts";
import { HandshakeError } from "./errors.ts";

const NOTHING = new Uint8Array();

/** Reads exact lengths and keeps what it over-read, so that pipelined bytes are never lost. */
export class ExactReader {
  readonly #channel: ByteChannel;
  #buffer: Uint8Array = NOTHING;
  /** How much of the buffer has been given out. */
  #at = 0;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  /** Bytes that came behind the last ones asked for. */
  get rest(): Uint8Array {
    return this.#at === this.#buffer.length ? NOTHING : this.#buffer.subarray(this.#at);
  }

  /** The next byte, which stays where it is. */
  async peek(): Promise<number> {
    await this.fill(1);
    return this.#buffer[this.#at] ?? 0;
  }

  async exactly(length: number): Promise<Uint8Array> {
    if (!this.has(length)) await this.fill(length);
    return this.take(length);
  }

  /** Whether so many bytes have been read and not been taken. */
  has(length: number): boolean {
    return this.#buffer.length - this.#at >= length;
  }

  /** Reads until it has so many. @throws HandshakeError when the far side ends before */
  async fill(length: number): Promise<void> {
    while (!this.has(length)) {
      const chunk = await this.#channel.read();
      if (!chunk) {
        throw new HandshakeError(
          "ERR_HANDSHAKE_EOF",
          "Cannot finish the handshake: the other side left",
        );
      }
      // The channel may use the chunk's memory again.
      this.#buffer = concat(this.rest, chunk);
      this.#at = 0;
    }
  }

  /** The next byte of those that it has; 0 when it has none. */
  u8(): number {
    return this.#buffer[this.#at++] ?? 0;
  }

  /** So many of those that it has. Copied: a view of a few costs memory outside of V8's heap. */
  take(length: number): Uint8Array {
    const start = this.#at;
    this.#at = Math.min(start + length, this.#buffer.length);
    return this.#buffer.slice(start, this.#at);
  }

  /** All up to and with the first `mark`, which must end within `limit` bytes. */
  async through(mark: Uint8Array, limit: number): Promise<Uint8Array> {
    for (let from = 0; ;) {
      const { rest } = this;
      const end = endOf(mark, rest, from);
      if ((end ?? rest.length) > limit) {
        const text = `Cannot finish the handshake: it is longer than ${limit} bytes`;
        throw new HandshakeError("ERR_HANDSHAKE", text);
      }
      if (end !== undefined) return this.exactly(end);
      // A mark may begin at the end of one chunk and go on in the next.
      from = Math.max(0, rest.length - mark.length + 1);
      await this.fill(rest.length + 1);
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
  if (left.length === 0) return right.slice();
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
