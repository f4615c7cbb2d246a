import { BusyMemory, HUGE_BYTES, LARGE_BYTES } from "../../protocol/busy-memory.ts";

/**
 * What a read may bring, by how busy its socket is. An idle stream costs the first: 1,000 of them with
 * 64 KiB each would be half a Worker's memory.
 */
const SIZES = [4096, 16_384, LARGE_BYTES, HUGE_BYTES] as const;
const HUGE_STEP = SIZES.length - 1;

/**
 * The buffer of one BYOB reader: grows while reads fill it, shrinks when they leave three quarters
 * of it empty, and is used again once its bytes have been taken.
 */
export class ReadBuffer {
  readonly #busy: BusyMemory;
  #step = 0;
  #memory: ArrayBuffer | undefined;
  /** How much a read has now: it is detached from us until then. */
  #lentBytes = 0;
  #isClosed = false;

  constructor(busy: BusyMemory) {
    this.#busy = busy;
  }

  /** A view to read into; it is detached by the read. What the read before brought is taken by now. */
  take(): Uint8Array<ArrayBuffer> {
    const memory = this.#memory;
    this.#memory = undefined;
    const isRight = memory?.byteLength === SIZES[this.#step];
    if (memory && !isRight) this.#busy.giveBack(memory);
    const next = memory && isRight ? memory : this.#next();
    this.#lentBytes = next.byteLength;
    return new Uint8Array(next);
  }

  /** What the read made of it. */
  giveBack(view: Uint8Array<ArrayBuffer>): void {
    // What was lent has been counted out already.
    if (this.#isClosed) return;
    const size = view.buffer.byteLength;
    this.#lentBytes = 0;
    this.#memory = view.buffer;
    const most = this.#busy.isCalm ? HUGE_STEP : HUGE_STEP - 1;
    if (view.length === size) this.#step++;
    else if (view.length * 4 <= size) this.#step = Math.max(this.#step - 1, 0);
    this.#step = Math.min(this.#step, most);
  }

  /** Nothing more will be read. Somebody may still be looking at what was. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#busy.abandon(this.#memory?.byteLength ?? this.#lentBytes);
    this.#memory = undefined;
  }

  #next(): ArrayBuffer {
    const size = SIZES[this.#step] ?? HUGE_BYTES;
    if (size === HUGE_BYTES) return this.#busy.huge();
    return size === LARGE_BYTES ? this.#busy.large() : new ArrayBuffer(size);
  }
}
