/**
 * Memory of one size that is used again and again. A fresh buffer for each use would be zeroed first,
 * and would be garbage outside of V8's heap, which makes V8 collect the whole heap every few
 * megabytes: that cost more than all the copying.
 */
export class Shelf {
  readonly size: number;
  readonly #max: number;
  readonly #free: ArrayBuffer[] = [];

  /** Keeps at most `max` buffers for later. */
  constructor(size: number, max: number) {
    this.size = size;
    this.#max = max;
  }

  take(): ArrayBuffer {
    return this.#free.pop() ?? new ArrayBuffer(this.size);
  }

  /** Keeps a buffer that take() gave out; any other is left to the garbage collector. */
  giveBack(memory: ArrayBuffer): void {
    if (memory.byteLength === this.size && this.#free.length < this.#max) this.#free.push(memory);
  }
}
