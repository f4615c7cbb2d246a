/** What an idle stream costs: 1,000 of them with 64 KiB each would be half a Worker's memory. */
const MIN_BYTES = 4096;
const MAX_BYTES = 262_144;

/**
 * The buffer of one BYOB reader: doubles while reads fill it, halves while they leave three
 * quarters of it empty, and is used again once its bytes have been taken.
 */
export class ReadBuffer {
  #size = MIN_BYTES;
  #memory: ArrayBuffer | undefined;

  /** A view to read into; it is detached by the read. */
  take(): Uint8Array<ArrayBuffer> {
    const memory = this.#memory?.byteLength === this.#size ? this.#memory : undefined;
    this.#memory = undefined;
    return new Uint8Array(memory ?? new ArrayBuffer(this.#size));
  }

  /** What the read made of it. The memory is used again at the next take(). */
  giveBack(view: Uint8Array<ArrayBuffer>): void {
    this.#memory = view.buffer;
    if (view.length === this.#size) this.#size = Math.min(this.#size * 2, MAX_BYTES);
    else if (view.length * 4 <= this.#size) this.#size = Math.max(this.#size / 2, MIN_BYTES);
  }
}
