/** The first memory of a carrier's own; it doubles while a frame does not fit. */
const OWN_BYTES = 262_144;
/** A read should find at least this much room. */
const MIN_ROOM = 65_536;
/** Own memory is let go after so many reads in a row of less than a quarter of MIN_ROOM. */
const CALM_READS = 16;

/**
 * Where the bytes of a carrier's socket lie until their frames are whole. As long as frames come
 * whole, the memory is shared with other carriers; a frame in pieces gets memory of its own.
 */
export class WsIntake {
  readonly #shared: Uint8Array;
  readonly #take: (bytes: Uint8Array) => number;
  #own: Uint8Array | undefined;
  #start = 0;
  #end = 0;
  #calmReads = 0;

  /** `take` takes whole frames off the front of what it is given and tells how long they were. */
  constructor(shared: Uint8Array, take: (bytes: Uint8Array) => number) {
    this.#shared = shared;
    this.#take = take;
  }

  /** Where the next read may go. */
  get room(): Uint8Array {
    return this.#own ? this.#own.subarray(this.#end) : this.#shared;
  }

  /** Takes what was read, be it into the room or elsewhere. */
  take(bytes: Uint8Array): void {
    if (!this.#own) {
      const taken = this.#take(bytes);
      if (taken < bytes.length) this.#append(bytes.subarray(taken));
      return;
    }
    if (bytes.buffer === this.#own.buffer) this.#end += bytes.length;
    else this.#append(bytes);
    this.#start += this.#take(this.#own.subarray(this.#start, this.#end));
    this.#calmReads = bytes.length * 4 < MIN_ROOM ? this.#calmReads + 1 : 0;
    if (this.#start === this.#end) this.#rewind();
    else this.#makeRoom(MIN_ROOM);
  }

  #rewind(): void {
    this.#start = 0;
    this.#end = 0;
    if (this.#calmReads >= CALM_READS) this.#own = undefined;
  }

  /** Copies bytes that lie elsewhere behind those that wait. */
  #append(bytes: Uint8Array): void {
    const own = this.#makeRoom(bytes.length + MIN_ROOM);
    own.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Our memory with so much room at its end, be it by moving what waits, or by more memory. */
  #makeRoom(bytes: number): Uint8Array {
    const own = (this.#own ??= new Uint8Array(OWN_BYTES));
    if (own.length - this.#end >= bytes) return own;
    const waiting = this.#end - this.#start;
    let size = own.length;
    while (size - waiting < bytes) size *= 2;
    const next = size === own.length ? own : new Uint8Array(size);
    if (next === own) own.copyWithin(0, this.#start, this.#end);
    else next.set(own.subarray(this.#start, this.#end));
    this.#own = next;
    this.#start = 0;
    this.#end = waiting;
    return next;
  }
}
