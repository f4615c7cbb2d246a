/** Spans whose highest rate counts: enough that one bad one does not, few enough to slow down. */
const SPANS = 6;
/** A span is a round trip, but on a machine's own network not shorter than its hiccups. */
const MIN_SPAN_MS = 25;
/** A rate that has not grown by this for so many spans is that of the network. */
const GROWTH = 1.25;
const FLAT_SPANS = 3;
/** And then it has to grow by this to count as growing: carriers of one way take from each other. */
const REGROWTH = 2;

/** How fast a carrier delivers: the highest of the rates that were measured lately. */
export class DeliveryRate {
  /** The highest rate of each span, the newest last. */
  #spans: number[] = [];
  #spanEndsAt = -Infinity;
  #best = 0;
  #flatRate = 0;
  #flatCount = 0;

  /** Bytes in a millisecond; 0 before anything was measured. */
  get best(): number {
    return this.#best;
  }

  /** Whether more in flight has not made it faster lately. */
  get isFlat(): boolean {
    return this.#flatCount >= FLAT_SPANS;
  }

  /**
   * Adds a rate. Of a sender that did not use all it might (`isLimited`) it says what the network can
   * do at least, and not that it can do no more: it counts if it is higher, and ends no span.
   */
  add(rate: number, isLimited: boolean, now: number, roundTripMs: number): void {
    if (isLimited && rate <= this.#best) return;
    if (!isLimited && now >= this.#spanEndsAt) {
      this.#spans = [...this.#spans.slice(1 - SPANS), 0];
      this.#spanEndsAt = now + Math.max(roundTripMs, MIN_SPAN_MS);
      this.#compare();
    }
    const last = Math.max(0, this.#spans.length - 1);
    this.#spans[last] = Math.max(this.#spans[last] ?? 0, rate);
    this.#best = Math.max(...this.#spans);
  }

  /** The way through the network is another: begins to look again. */
  restart(): void {
    this.#flatRate = 0;
    this.#flatCount = 0;
  }

  #compare(): void {
    const hasGrown = this.#best >= this.#flatRate * (this.isFlat ? REGROWTH : GROWTH);
    this.#flatCount = hasGrown ? 0 : this.#flatCount + 1;
    if (hasGrown) this.#flatRate = this.#best;
  }
}
