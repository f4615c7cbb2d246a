import { TURN_BYTES } from "./message-memory.ts";

/** Payloads from here up to a page are copied into pages; smaller ones would waste most of one. */
const MIN_PAGED = TURN_BYTES / 4;
/** Free pages kept: 1 MiB for a session. */
const MAX_FREE = 16;

/**
 * Memory for the payloads that streams hold until they are read. A message is its carrier's, to be
 * overwritten by the next one, so payloads are copied out of it: into pages that are used again, as
 * fresh memory would cost far more than the copying (see MessageMemory).
 */
export class PayloadMemory {
  readonly #free: ArrayBuffer[] = [];

  /** A copy. What it is kept in is at most four times as large. */
  keep(bytes: Uint8Array): Uint8Array {
    if (bytes.length < MIN_PAGED || bytes.length > TURN_BYTES) return bytes.slice();
    const page = this.#free.pop() ?? new ArrayBuffer(TURN_BYTES);
    const kept = new Uint8Array(page, 0, bytes.length);
    kept.set(bytes);
    return kept;
  }

  /** Takes back what keep() gave, to be overwritten. What never comes back is garbage, no more. */
  giveBack(kept: Uint8Array): void {
    const { buffer } = kept;
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== TURN_BYTES) return;
    if (this.#free.length < MAX_FREE) this.#free.push(buffer);
  }
}
