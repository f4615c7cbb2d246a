import { HEAD_ROOM } from "./carrier.ts";
import { Shelf } from "./shelf.ts";
import { HEADER_LENGTH, MAX_PAYLOAD } from "./wire.ts";

/** Stream bytes that one of several may send in its turn: a keystroke waits for little. */
export const TURN_BYTES = 65_536;
/** A message is sent once it holds this much; with the last turn it stays far below MAX_MESSAGE. */
export const MESSAGE_BYTES = 131_072;
/** The same for a stream that has had the carrier for itself: each message costs what copying 200 KiB does. */
export const SOLE_MESSAGE_BYTES = 524_288;

/** Room for a message that was just below its limit when its last turn was added. */
const EXTRA_BYTES = HEAD_ROOM + HEADER_LENGTH + TURN_BYTES;
/**
 * Stream bytes that one that waits alone may add to a message of `length` bytes that may have `most`:
 * a whole read of it, and not all but the few for which an ACK in front leaves no room.
 */
export function largestTurn(length: number, most: number): number {
  return Math.min(most, MAX_PAYLOAD, most + TURN_BYTES - length);
}

/** Buffers kept for the next messages; busy carriers may have more of them under way. */
const MAX_FREE = 8;
const MAX_FREE_SOLE = 4;

/** The memory of messages with stream bytes. Carriers may share it. */
export class MessageMemory {
  readonly #shelf = new Shelf(MESSAGE_BYTES + EXTRA_BYTES, MAX_FREE);
  readonly #soleShelf = new Shelf(SOLE_MESSAGE_BYTES + EXTRA_BYTES, MAX_FREE_SOLE);

  /** Room for a message of `most` bytes, and its last turn. */
  take(most: number = MESSAGE_BYTES): ArrayBuffer {
    return (most <= MESSAGE_BYTES ? this.#shelf : this.#soleShelf).take();
  }

  /** Keeps a buffer that take() gave out; any other is left to the garbage collector. */
  giveBack(memory: ArrayBuffer): void {
    this.#shelf.giveBack(memory);
    this.#soleShelf.giveBack(memory);
  }
}
