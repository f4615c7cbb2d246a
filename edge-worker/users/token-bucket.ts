/** A second's worth may go at once, and at least one full read of a socket. */
const MIN_BURST_BYTES = 262_144;

/**
 * Bytes per second, as a bucket that fills at that rate. Bytes are taken as they come and the
 * bucket may fall into debt; who took them waits until it is paid. So the order of taking is the
 * order of going on, and no chunk is too large for it.
 */
export class TokenBucket {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#burst = Math.max(bytesPerSecond, MIN_BURST_BYTES);
    this.#tokens = this.#burst;
    this.#filledAt = nowMs;
  }

  /** Takes `bytes`; returns for how many milliseconds their owner is to wait. */
  take(bytes: number, nowMs: number): number {
    this.#fill(nowMs);
    this.#tokens -= bytes;
    return Math.max(0, -this.#tokens / this.#bytesPerMs);
  }

  /** Takes `bytes` only if that makes no debt: for datagrams, which are dropped rather than late. */
  takeNow(bytes: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < bytes) return false;
    this.#tokens -= bytes;
    return true;
  }

  #fill(nowMs: number): void {
    const gained = Math.max(0, nowMs - this.#filledAt) * this.#bytesPerMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledAt = nowMs;
  }
}
