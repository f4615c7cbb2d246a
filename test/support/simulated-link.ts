import { Arrivals } from "../../protocol/arrivals.ts";
import { Flight } from "../../protocol/flight.ts";
import type { CarrierLoad } from "../../protocol/pool.ts";
import { RoundTrip } from "../../protocol/round-trip.ts";

interface UnderWay {
  readonly bytes: number;
  readonly at: number;
}

interface Ack {
  readonly received: number;
  readonly frames: number;
  readonly at: number;
}

/** What the way through the network is like; a test may change it. */
export interface Way {
  roundTripMs: number;
  megabitsPerSecond: number;
}

const MESSAGE_BYTES = 131_072;
const CARRIER_WINDOW = 16_777_216;
/** As in AckTimer. */
const ACK_BYTES = 16_384;
const ACK_DELAY_MS = 25;

/**
 * A sender with a Flight and a receiver with Arrivals, and between them one narrow place with a queue
 * of any length. Time moves by milliseconds; the sender's clock shows every `tickMs` of them.
 */
export class SimulatedLink {
  readonly roundTrip = new RoundTrip();
  readonly flight: Flight;
  readonly #way: Way;
  readonly #arrivals = new Arrivals(CARRIER_WINDOW);
  #queue: number[] = [];
  #credit = 0;
  #onTheWay: UnderWay[] = [];
  #acks: Ack[] = [];
  #now = 0;
  #delivered = 0;
  /** When AckTimer would be heard. */
  #ackAt = Infinity;

  constructor(way: Way, tickMs = 1) {
    this.#way = way;
    const now = (): number => this.#now - (this.#now % tickMs);
    this.flight = new Flight({ now, tickMs }, this.roundTrip);
    this.flight.open(CARRIER_WINDOW);
  }

  /** What the sender sees of it; nothing comes the other way. */
  get load(): CarrierLoad {
    const { offset: sent, bytes: pending, rate } = this.flight;
    return { sent, received: 0, pending, rate, roundTripMs: this.roundTrip.minMs };
  }

  /** Bytes that wait at the narrow place. */
  get queued(): number {
    return this.#queue.reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Runs for so long with a source of `supply` bytes a millisecond. Tells which share of the link was
   * used, and how long the queue was at most and on average, in milliseconds.
   */
  run(forMs: number, supply = Infinity): { used: number; queueMs: number; meanQueueMs: number } {
    const before = this.#delivered;
    let longest = 0;
    let sum = 0;
    for (const end = this.#now + forMs; this.#now < end; this.#now++) {
      this.#send(supply);
      this.#pass();
      this.#receive();
      this.#acknowledge();
      longest = Math.max(longest, this.queued);
      sum += this.queued;
    }
    const used = (this.#delivered - before) / forMs / this.#bytesPerMs;
    const meanQueueMs = sum / forMs / this.#bytesPerMs;
    return { used, queueMs: longest / this.#bytesPerMs, meanQueueMs };
  }

  get #bytesPerMs(): number {
    return this.#way.megabitsPerSecond * 125;
  }

  #send(supply: number): void {
    for (let left = supply; left > 0 && this.flight.available > 0;) {
      const bytes = Math.min(MESSAGE_BYTES, this.flight.available, left);
      this.flight.advance(bytes);
      this.flight.sent(1);
      this.#queue.push(bytes);
      left -= bytes;
    }
  }

  #pass(): void {
    this.#credit = this.#queue.length > 0 ? this.#credit + this.#bytesPerMs : 0;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (first > this.#credit) break;
      this.#credit -= first;
      this.#queue.shift();
      this.#onTheWay.push({ bytes: first, at: this.#now + this.#way.roundTripMs / 2 });
    }
  }

  #receive(): void {
    for (let first = this.#onTheWay[0]; first && first.at <= this.#now; first = this.#onTheWay[0]) {
      this.#onTheWay.shift();
      this.#delivered += first.bytes;
      this.#arrivals.frame();
      this.#arrivals.payload(first.bytes);
      if (this.#ackAt === Infinity && this.#arrivals.unacknowledged >= ACK_BYTES) {
        this.#ackAt = this.#now + ACK_DELAY_MS;
      }
      if (this.#arrivals.isAckDue) this.#sendAck();
    }
    if (this.#now < this.#ackAt) return;
    this.#ackAt = Infinity;
    if (this.#arrivals.hasNews) this.#sendAck();
  }

  #sendAck(): void {
    this.#acks.push({ ...this.#arrivals.ack(), at: this.#now + this.#way.roundTripMs / 2 });
  }

  #acknowledge(): void {
    for (let first = this.#acks[0]; first && first.at <= this.#now; first = this.#acks[0]) {
      this.#acks.shift();
      this.flight.acknowledged(first.received, first.frames);
    }
  }
}
