import type { DatagramFrame } from "./stream.ts";

/** Bytes of datagrams that may wait on a carrier; a flood beyond it is dropped, newest first. */
export const MAX_QUEUED_BYTES = 262_144;
/** What a datagram costs beside its payload, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64;

/** Datagrams that wait for their carrier: bounded, in order, never waited for. */
export class DatagramQueue {
  #frames: DatagramFrame[] = [];
  #head = 0;
  #bytes = 0;
  #dropped = 0;

  /** Datagrams that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether there was room. The payload is copied: its memory is the caller's. */
  push(frame: DatagramFrame): boolean {
    const cost = frame.bytes.length + OVERHEAD_BYTES;
    if (this.#bytes + cost > MAX_QUEUED_BYTES) {
      this.#dropped++;
      return false;
    }
    this.#bytes += cost;
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
    this.#bytes -= frame.bytes.length + OVERHEAD_BYTES;
    this.#head++;
    if (this.#head * 2 < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#head);
    this.#head = 0;
  }
}
