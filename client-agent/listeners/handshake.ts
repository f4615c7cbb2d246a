import type { ByteChannel } from "../../protocol/channel.ts";
import { HandshakeError } from "../../protocol/errors.ts";

/** A handshake without I/O: it yields what it wants next and is handed the bytes it asked for. */
export type Handshake<Result> = Generator<Step, Result, Uint8Array>;
export type Step = { readonly read: number } | { readonly write: Uint8Array };

export function* bytes(length: number): Handshake<Uint8Array> {
  return length === 0 ? new Uint8Array() : yield { read: length };
}

export function* uint8(): Handshake<number> {
  const [value = 0] = yield* bytes(1);
  return value;
}

export function* uint16(): Handshake<number> {
  const [high = 0, low = 0] = yield* bytes(2);
  return high * 256 + low;
}

export function* write(...values: readonly number[]): Handshake<void> {
  yield { write: Uint8Array.from(values) };
}

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
    const head = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return head;
  }

  async #fill(length: number): Promise<void> {
    while (this.#buffer.length < length) {
      const chunk = await this.#channel.read();
      if (!chunk) {
        throw new HandshakeError(
          "ERR_HANDSHAKE_EOF",
          "Cannot finish the handshake: the client left",
        );
      }
      this.#buffer = concat(this.#buffer, chunk);
    }
  }
}

/** Runs a handshake over a channel: the one place where the parser meets I/O. */
export async function drive<Result>(
  handshake: Handshake<Result>,
  client: ByteChannel,
  reader: ExactReader,
): Promise<Result> {
  let step = handshake.next();
  while (!step.done) {
    if ("write" in step.value) {
      await client.write(step.value.write);
      step = handshake.next(new Uint8Array());
    } else {
      step = handshake.next(await reader.exactly(step.value.read));
    }
  }
  return step.value;
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
