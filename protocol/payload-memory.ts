import { MESSAGE_BYTES, TURN_BYTES } from "./message-memory.ts";

/** Memory of one size that is used again, and how much of it may be free. */
interface Shelf {
  readonly size: number;
  readonly max: number;
  readonly free: ArrayBuffer[];
}

/** Payloads from here up to a page are copied into pages; smaller ones would waste most of one. */
const MIN_PAGED = TURN_BYTES / 4;
/** And these into large ones. Those between have memory of their own size. */
const MIN_LARGE = MESSAGE_BYTES * 0.75;
/**
 * Free pages kept: 4 MiB, and as much of large ones. What is let go of for the collector to find stays with
 * the process until it does: a burst of 200 streams left 10 MiB more behind with a quarter of this.
 */
const MAX_FREE = 64;
const MAX_FREE_LARGE = 32;

/**
 * Memory for the payloads that streams hold until they are read. A message is its carrier's, to be
 * overwritten by the next one, so payloads are copied out of it: into pages that are used again, as
 * fresh memory would cost far more than the copying (see MessageMemory).
 */
export class PayloadMemory {
  readonly #pages: Shelf = { size: TURN_BYTES, max: MAX_FREE, free: [] };
  readonly #large: Shelf = { size: MESSAGE_BYTES, max: MAX_FREE_LARGE, free: [] };

  /** A copy. What it is kept in is at most four times as large. */
  keep(bytes: Uint8Array): Uint8Array {
    const shelf = this.#shelfFor(bytes.length);
    if (!shelf) return bytes.slice();
    const { size, free } = shelf;
    const page = free.pop() ?? new ArrayBuffer(size);
    const kept = new Uint8Array(page, 0, bytes.length);
    kept.set(bytes);
    return kept;
  }

  #shelfFor(length: number): Shelf | undefined {
    if (length >= MIN_PAGED && length <= TURN_BYTES) return this.#pages;
    return length >= MIN_LARGE && length <= MESSAGE_BYTES ? this.#large : undefined;
  }

  /** Takes back what keep() gave, to be overwritten. What never comes back is garbage, no more. */
  giveBack({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer)) return;
    for (const { size, max, free } of [this.#pages, this.#large]) {
      if (buffer.byteLength === size && free.length < max) free.push(buffer);
    }
  }
}
