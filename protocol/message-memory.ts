import { HEAD_ROOM } from "./carrier.ts";
import { Shelf } from "./shelf.ts";
import { HEADER_LENGTH, MAX_PAYLOAD } from "./wire.ts";

/** Stream bytes that one of several may send in its turn: a keystroke waits for little. */
export const TURN_BYTES = 65_536;
/** What it may send beyond, if that is all it has: a frame of its own for the rest costs more. */
export const OVER_BYTES = 32_768;
/** A message is sent once it holds this much, on a carrier that takes its time. */
export const MESSAGE_BYTES = 131_072;
/**
 * On a fast one it may hold more: a message and its read cost each end what copying 200 KiB does. Most for
 * a stream that has had the carrier for itself, as nobody waits for it.
 */
export const SHARED_MESSAGE_BYTES = 262_144;
export const SOLE_MESSAGE_BYTES = 524_288;
/** So long may the carrier take to deliver a message that is longer than MESSAGE_BYTES. */
const MESSAGE_MS = 1;

/** Bytes that a message may hold before its last turn, at a rate in bytes a millisecond. */
export function messageBytes(rate: number, isSole: boolean): number {
  const most = isSole ? SOLE_MESSAGE_BYTES : SHARED_MESSAGE_BYTES;
  return Math.min(most, Math.max(MESSAGE_BYTES, Math.floor(rate * MESSAGE_MS)));
}

/**
 * Stream bytes that one that waits alone may add to a message of `length` bytes that may have `most`:
 * a whole read of it, and not all but the few for which an ACK in front leaves no room.
 */
export function largestTurn(length: number, most: number): number {
  return Math.min(most, MAX_PAYLOAD, most + TURN_BYTES - length);
}

/** Room for what comes to a message that was just below its limit. */
const EXTRA_BYTES = HEAD_ROOM + HEADER_LENGTH + TURN_BYTES + OVER_BYTES;
/** Buffers of each size kept for the next messages: some megabytes. */
const MAX_FREE_BYTES = 2_097_152;

/** The memory of messages with stream bytes. Carriers may share it. */
export class MessageMemory {
  readonly #shelves = [MESSAGE_BYTES, SHARED_MESSAGE_BYTES, SOLE_MESSAGE_BYTES].map(
    (most) => new Shelf(most + EXTRA_BYTES, Math.ceil(MAX_FREE_BYTES / most)),
  );

  /** Room for a message that is sent once it has `bytes`, which is SOLE_MESSAGE_BYTES at most. */
  take(bytes: number): ArrayBuffer {
    const shelf = this.#shelves.find(({ size }) => bytes + EXTRA_BYTES <= size);
    return shelf?.take() ?? new ArrayBuffer(bytes + EXTRA_BYTES);
  }

  /** Keeps a buffer that take() gave out; any other is left to the garbage collector. */
  giveBack(memory: ArrayBuffer): void {
    for (const shelf of this.#shelves) shelf.giveBack(memory);
  }
}
