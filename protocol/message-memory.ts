import { HEAD_ROOM } from "./carrier.ts";
import { HEADER_LENGTH } from "./wire.ts";

/** Stream bytes that one of several may send in its turn: a keystroke waits for little. */
export const TURN_BYTES = 65_536;
/**
 * A message is sent once it holds this much; with the last turn it stays far below MAX_MESSAGE. A
 * stream that has it for itself fills it with one DATA frame.
 */
export const MESSAGE_BYTES = 131_072;

/** Room for a message that was just below MESSAGE_BYTES when its last turn was added. */
const BUFFER_BYTES = HEAD_ROOM + MESSAGE_BYTES + HEADER_LENGTH + TURN_BYTES;
/**
 * Stream bytes that one that waits alone may add to a message of so many bytes: a whole read of it, and
 * not all but the few for which an ACK in front leaves no room.
 */
export function largestTurn(length: number): number {
  return Math.min(MESSAGE_BYTES, MESSAGE_BYTES + TURN_BYTES - length);
}

/** Buffers kept for the next messages; a busy carrier may have more of them under way. */
const MAX_FREE = 8;

/**
 * The memory of messages with stream bytes, used again and again. A fresh buffer for each would be
 * zeroed first, and would be garbage outside the JavaScript heap, which makes V8 collect the whole
 * heap every few megabytes: that cost more than all the copying.
 */
export class MessageMemory {
  readonly #free: ArrayBuffer[] = [];

  take(): ArrayBuffer {
    return this.#free.pop() ?? new ArrayBuffer(BUFFER_BYTES);
  }

  /** Keeps a buffer that take() gave out; any other is left to the garbage collector. */
  giveBack(memory: ArrayBuffer): void {
    if (memory.byteLength === BUFFER_BYTES && this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}
