/** For how long the least round trip holds; twice that if nothing was measured meanwhile. */
const SPAN_MS = 10_000;

/**
 * The least round trip of a carrier in the last 10 to 20 s. What is above it is time in queues, our
 * own among them; what is older may be of another way through the network.
 */
export class RoundTrip {
  #minMs: number | undefined;
  /** The least of the present span, and of the one before. */
  #current = Infinity;
  #previous = Infinity;
  #since = -Infinity;

  /** Undefined before anything was measured. */
  get minMs(): number | undefined {
    return this.#minMs;
  }

  add(elapsedMs: number, now: number): void {
    if (now - this.#since >= SPAN_MS) {
      this.#previous = now - this.#since < 2 * SPAN_MS ? this.#current : Infinity;
      this.#current = Infinity;
      this.#since = now;
    }
    this.#current = Math.min(this.#current, elapsedMs);
    this.#minMs = Math.min(this.#current, this.#previous);
  }
}
