import { PayloadMemory } from "../payload-memory.ts";

/** Room for the reads of sockets that have little to say. */
export const SHARED_BYTES = 65_536;
/** Room for one read of a socket that has filled the room it had. */
const LARGE_BYTES = 131_072;
/** Large rooms kept for the next socket that is busy: 2 MiB. */
const MAX_FREE = 16;

/**
 * The memory that many sockets of a process read into. Node's own way is a new buffer for each read,
 * outside of V8's heap but counted for it: collecting those took half of a relay's CPU time. And what
 * has been collected late is memory that the process holds: 200 streams that were busy once and then
 * stand still left more of it behind than they held.
 */
export class ReadMemory {
  /** For whoever reads next: it is overwritten by every read, and empty where Node reads its own way. */
  readonly shared: Uint8Array;
  readonly #pages = new PayloadMemory();
  readonly #large: Uint8Array[] = [];

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

  /** Room of a socket's own, to be given back by releaseLarge(). */
  large(): Uint8Array {
    return this.#large.pop() ?? new Uint8Array(LARGE_BYTES);
  }

  releaseLarge(room: Uint8Array): void {
    if (this.#large.length < MAX_FREE) this.#large.push(room);
  }
}
