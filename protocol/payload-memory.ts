import { MESSAGE_BYTES, TURN_BYTES } from "./message-memory.ts";
import { Shelf } from "./shelf.ts";
import { MAX_PAYLOAD } from "./wire.ts";

/** Payloads from here up to a page are copied into pages; smaller ones would waste most of one. */
const MIN_PAGED = TURN_BYTES / 4;
/** Those that fill the larger ones by this share are copied into them; others have memory of their own size. */
const FULL_SHARE = 0.75;
/**
 * Free memory that is kept: 4 MiB of each size. What is let go of for the collector to find stays with
 * the process until it does: a burst of 200 streams left 10 MiB more behind with a quarter of this.
 */
const MAX_FREE_BYTES = 4_194_304;

/**
 * Memory for the payloads that streams hold until they are read. A message is its carrier's, to be
 * overwritten by the next one, so payloads are copied out of it: into pages that are used again, as
 * fresh memory would cost far more than the copying (see Shelf).
 */
export class PayloadMemory {
  readonly #shelves = [TURN_BYTES, MESSAGE_BYTES, MAX_PAYLOAD].map(
    (size) => new Shelf(size, MAX_FREE_BYTES / size),
  );

  /** A copy. What it is kept in is at most four times as large. */
  keep(bytes: Uint8Array): Uint8Array {
    const shelf = this.#shelfFor(bytes.length);
    if (!shelf) return bytes.slice();
    const kept = new Uint8Array(shelf.take(), 0, bytes.length);
    kept.set(bytes);
    return kept;
  }

  /** Takes back what keep() gave, to be overwritten. What never comes back is garbage, no more. */
  giveBack({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer)) return;
    for (const shelf of this.#shelves) shelf.giveBack(buffer);
  }

  #shelfFor(length: number): Shelf | undefined {
    if (length < MIN_PAGED) return undefined;
    const shelf = this.#shelves.find(({ size }) => length <= size);
    if (!shelf || shelf.size === TURN_BYTES) return shelf;
    return length >= shelf.size * FULL_SHARE ? shelf : undefined;
  }
}
