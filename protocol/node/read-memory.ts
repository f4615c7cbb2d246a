import { BusyMemory, LARGE_BYTES } from "../busy-memory.ts";
import { PayloadMemory } from "../payload-memory.ts";

/** Room for the reads of sockets that have little to say. */
export const SHARED_BYTES = 65_536;

/**
 * The memory that many sockets of a process read into. Node's own way is a new buffer for each read,
 * outside of V8's heap but counted for it: collecting those took half of a relay's CPU time.
 */
export class ReadMemory {
  /** For whoever reads next: it is overwritten by every read, and empty where Node reads its own way. */
  readonly shared: Uint8Array;
  readonly #pages = new PayloadMemory();
  readonly #busy = new BusyMemory();

  constructor(sharedBytes: number = SHARED_BYTES) {
    this.shared = new Uint8Array(sharedBytes);
  }

  /** A copy of what lies in `shared`, to be given back by releaseCopy(). */
  copy(bytes: Uint8Array): Uint8Array {
    return this.#pages.keep(bytes);
  }

  releaseCopy(copy: Uint8Array): void {
    this.#pages.giveBack(copy);
  }

  /** Room for a socket alone, to be given back by release(). */
  large(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#busy.large());
  }

  /** The room for what comes behind a read of `length` bytes into `room`; undefined: the shared one. */
  roomAfter(room: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> | undefined {
    const { isCalm } = this.#busy;
    if (room.length > LARGE_BYTES) return isCalm && length > LARGE_BYTES ? room : this.large();
    if (length === room.length) return isCalm ? new Uint8Array(this.#busy.huge()) : room;
    // Let go of at once: who has said all for now may say nothing for hours.
    return length * 2 >= room.length ? room : undefined;
  }

  release({ buffer }: Uint8Array<ArrayBuffer>): void {
    this.#busy.giveBack(buffer);
  }

  /** For a room that somebody may still be looking at. */
  abandon({ length }: Uint8Array): void {
    this.#busy.abandon(length);
  }
}
