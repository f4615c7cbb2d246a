import type { DatagramFrame } from "./stream.ts";

/** Bytes of datagrams that may wait on a carrier, if nothing else is said. */
export const MAX_QUEUED_BYTES = 524_288;
/** What a datagram costs beside its payload, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64;

/**
 * Datagrams that wait for their carrier: bounded, in order, never waited for. A flood is dropped,
 * newest first. A stream may have as many bytes here as are still free, which is half of them when it
 * is alone: so there is room for another's datagram whoever floods.
 */
export class DatagramQueue {
  readonly #maxBytes: number;
  readonly #bytesByStream = new Map<number, number>();
  #frames: DatagramFrame[] = [];
  #head = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(maxBytes: number = MAX_QUEUED_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Datagrams that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether there was room. The payload is copied: its memory is the caller's. */
  push(frame: DatagramFrame): boolean {
    const cost = frame.bytes.length + OVERHEAD_BYTES;
    const isTooMuch = this.#bytesOf(frame) + cost > this.#maxBytes - this.#bytes;
    if (isTooMuch) {
      this.#dropped++;
      return false;
    }
    this.#count(frame, cost);
    this.#frames.push({ ...frame, bytes: frame.bytes.slice() });
    return true;
  }

  /** The first datagram, if its payload is at most `bytes`. */
  peek(bytes: number): DatagramFrame | undefined {
    const frame = this.#frames[this.#head];
    return frame && frame.bytes.length <= bytes ? frame : undefined;
  }

  shift(): void {
    const frame = this.#frames[this.#head];
    if (!frame) return;
    this.#count(frame, -frame.bytes.length - OVERHEAD_BYTES);
    this.#head++;
    if (this.#head * 2 < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#head);
    this.#head = 0;
  }

  #bytesOf({ streamId }: DatagramFrame): number {
    return this.#bytesByStream.get(streamId) ?? 0;
  }

  #count(frame: DatagramFrame, bytes: number): void {
    this.#bytes += bytes;
    const left = this.#bytesOf(frame) + bytes;
    if (left > 0) this.#bytesByStream.set(frame.streamId, left);
    else this.#bytesByStream.delete(frame.streamId);
  }
}
