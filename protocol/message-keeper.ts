import type { MessageMemory } from "./message-memory.ts";
import { SentLog, type SentMessage } from "./sent-log.ts";

/** What a carrier does with a message; see Carrier. */
export interface MessageSender {
  readonly send: (message: Uint8Array<ArrayBuffer>, done: () => void) => void;
  /** Whether what was sent still lies where it lay. */
  readonly leavesBytes: () => boolean;
}

/** A message below this share of its memory is copied out of it, to be kept. */
const PINNED_SHARE = 4;

/**
 * Sends the messages of a carrier, and keeps what may have to be sent again until the peer has
 * acknowledged it: where it lies, so that nothing is copied for it, if that can be.
 */
export class MessageKeeper {
  readonly #sender: MessageSender;
  readonly #memory: MessageMemory;
  readonly #log = new SentLog();

  constructor(sender: MessageSender, memory: MessageMemory) {
    this.#sender = sender;
    this.#memory = memory;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#log.bytes;
  }

  /** Memory for a message, as MessageMemory.take(). */
  take(bytes: number): ArrayBuffer {
    return this.#memory.take(bytes);
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    const { buffer } = message;
    this.#sender.send(message, () => this.#memory.giveBack(buffer));
  }

  /** Keeps what is behind `start`: so many frames of the session. */
  sendAndKeep(message: Uint8Array<ArrayBuffer>, start: number, frames: number): void {
    const { buffer } = message;
    const kept = message.subarray(start);
    const isPoor = kept.length * PINNED_SHARE < buffer.byteLength;
    if (isPoor || !this.#sender.leavesBytes()) {
      this.#log.push({ ...(isPoor ? fresh(kept) : this.#copy(kept)), frames });
      return this.send(message);
    }
    let holders = 2;
    const release = (): void => {
      if (--holders === 0) this.#memory.giveBack(buffer);
    };
    this.#log.push({ bytes: kept, frames, release });
    this.#sender.send(message, release);
  }

  /** @throws ProtocolError as SentLog.acknowledge() */
  acknowledge(frames: number): void {
    this.#log.acknowledge(frames);
  }

  /** Gives up what is kept. @throws ProtocolError as SentLog.settle() */
  settle(received: number): ReturnType<SentLog["settle"]> {
    return this.#log.settle(received);
  }

  /** A copy, in memory that is used again where it fits into that. */
  #copy(bytes: Uint8Array): Pick<SentMessage, "bytes" | "release"> {
    const memory = this.#memory.take(bytes.length);
    const copy = new Uint8Array(memory, 0, bytes.length);
    copy.set(bytes);
    return { bytes: copy, release: () => this.#memory.giveBack(memory) };
  }
}

function fresh(bytes: Uint8Array): Pick<SentMessage, "bytes" | "release"> {
  return { bytes: bytes.slice(), release: () => {} };
}
