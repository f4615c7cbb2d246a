/**
 * What a read may bring, by how busy its socket is. An idle stream costs the first: 1,000 of them with
 * 64 KiB each would be half a Worker's memory. A busy one has the last for itself.
 */
const SIZES = [4096, 16_384, 131_072] as const;
const LARGE = 131_072;
/** Large memory that is kept for the next socket that is busy: 1 MiB. */
const MAX_FREE = 8;

/**
 * Free memory of busy sockets. What was let go of for the garbage collector to find stays with the
 * process: after a burst of 200 streams it was more than what they held.
 */
export class ReadPool {
  readonly #free: ArrayBuffer[] = [];

  take(size: number): ArrayBuffer {
    return (size === LARGE ? this.#free.pop() : undefined) ?? new ArrayBuffer(size);
  }

  giveBack(memory: ArrayBuffer): void {
    if (memory.byteLength === LARGE && this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}

/**
 * The buffer of one BYOB reader: grows while reads fill it, shrinks when they leave three quarters
 * of it empty, and is used again once its bytes have been taken.
 */
export class ReadBuffer {
  readonly #pool: ReadPool;
  #step = 0;
  #memory: ArrayBuffer | undefined;

  constructor(pool: ReadPool) {
    this.#pool = pool;
  }

  /** A view to read into; it is detached by the read. What the read before brought is taken by now. */
  take(): Uint8Array<ArrayBuffer> {
    const size = SIZES[this.#step] ?? LARGE;
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory?.byteLength === size) return new Uint8Array(memory);
    if (memory) this.#pool.giveBack(memory);
    return new Uint8Array(this.#pool.take(size));
  }

  /** What the read made of it. */
  giveBack(view: Uint8Array<ArrayBuffer>): void {
    const size = view.buffer.byteLength;
    this.#memory = view.buffer;
    if (view.length === size) this.#step = Math.min(this.#step + 1, SIZES.length - 1);
    else if (view.length * 4 <= size) this.#step = Math.max(this.#step - 1, 0);
  }
}
