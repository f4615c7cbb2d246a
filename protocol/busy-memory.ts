import { Shelf } from "./shelf.ts";

/** Room for one read of a socket that is busy. */
export const LARGE_BYTES = 131_072;
/**
 * Room for one read of a socket that fills even that, while hardly any other is busy. What a read and a
 * message cost beside copying is as much as copying 200 KiB: a lone download is half as fast again by
 * such room. Beside others it would make them wait, and never send as much at once.
 */
export const HUGE_BYTES = 524_288;
/** Sockets that may be busy for one of them to have huge room. */
const MAX_BUSY = 2;
/** Free memory that is kept for the next socket that is busy: 3 MiB in all. */
const MAX_FREE_LARGE = 16;
const MAX_FREE_HUGE = MAX_BUSY;

/**
 * Memory that busy sockets read into. What was let go of for the garbage collector to find stays with
 * the process: after a burst of 200 streams it was more than what they held.
 */
export class BusyMemory {
  readonly #large = new Shelf(LARGE_BYTES, MAX_FREE_LARGE);
  readonly #huge = new Shelf(HUGE_BYTES, MAX_FREE_HUGE);
  /** How many have memory of ours. */
  #count = 0;

  /** Whether huge memory is to be had, or kept. */
  get isCalm(): boolean {
    return this.#count <= MAX_BUSY;
  }

  large(): ArrayBuffer {
    this.#count++;
    return this.#large.take();
  }

  huge(): ArrayBuffer {
    this.#count++;
    return this.#huge.take();
  }

  /** Takes memory back, to be used again; any other is left to the garbage collector. */
  giveBack(memory: ArrayBuffer): void {
    this.abandon(memory.byteLength);
    this.#large.giveBack(memory);
    this.#huge.giveBack(memory);
  }

  /** So many bytes do not come back: somebody may still be looking at them. */
  abandon(size: number): void {
    if (size === LARGE_BYTES || size === HUGE_BYTES) this.#count--;
  }
}
