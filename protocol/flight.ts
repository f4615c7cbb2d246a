import type { Clock } from "./clock.ts";
import { DeliveryRate } from "./delivery-rate.ts";
import { ProtocolError } from "./errors.ts";
import type { RoundTrip } from "./round-trip.ts";

/** In flight before anything is known of the way: more than the receiver waits for to say ACK. */
const FIRST_BYTES = 262_144;
/** In flight at least: the largest datagram has to fit beside what AckTimer may leave without an ACK. */
const MIN_BYTES = 81_920;
/** What an ACK may be late by (see Arrivals and AckTimer), which takes no part in filling the way. */
const BATCH_BYTES = 196_608;
const BATCH_MS = 25;
const UNTIMED_BYTES = 65_536;
/** What is in flight waits in this process's memory too: the peer alone must not say how much. */
const MAX_BYTES = 16_777_216;
/** Bandwidth-delay products in flight: while more of it brings more, and after that. */
const SEEKING = 2;
const CRUISING = 1.125;
/**
 * While the queue on the way is let run dry, so that the round trip without it can be seen. It takes a
 * round trip to fill the way again: where that costs little, more of it is let out.
 */
const DRAINING = 0.75;
const DRAINING_DEEP = 0.5;
const DEEP_BYTES = 1_048_576;
/** How long a carrier may be full before that; it takes about a round trip. */
const FULL_MS = 8000;
/**
 * No round trip counts as shorter, such as one that is over before a coarse clock has moved. On one
 * machine it is a matter of turns of event loops: with a whole millisecond here a ping beside downloads
 * took twice as long, and these as long as ever.
 */
const MIN_ROUND_TRIP_MS = 0.1;
/** For a stream that has the carrier to itself: enough for each end to have something to do all the time. */
const SOLE_ROUND_TRIP_MS = 1;
/** A rate over less says more of the clock than of the network: on Workers it moves with I/O alone. */
const MIN_SAMPLE_MS = 5;
/** The way is another when its least round trip is longer by this. */
const LONGER = 1.5;
/** A sender that leaves room for more than this when an ACK comes has nothing to fill it with. */
const SPARE_BYTES = 65_536;

/** A message whose ACK tells the round trip, and the rate since the ACK before it. */
interface Marker {
  readonly offset: number;
  readonly frames: number;
  readonly sentAt: number;
  readonly acknowledged: number;
  readonly since: number;
  isLimited: boolean;
  isTimed: boolean;
}

/**
 * What may be in flight on a carrier: between it and the last ACK. More than the bandwidth-delay
 * product only makes a queue at the narrowest place of the way, in which a keystroke waits; less
 * leaves the way idle. Both factors are measured, much as BBR does it: the rate is the highest of
 * late, as ACKs tell of it, and the round trip the least of late. At first two products are in
 * flight, so that the rate can double with each round trip; once it grows no more, an eighth above
 * one: enough to find out when the way becomes wider. What is there of a queue is in the round trip
 * as well; so the queue is let run dry now and then, or it would count itself and grow.
 */
export class Flight {
  readonly #clock: Pick<Clock, "now" | "tickMs">;
  readonly #roundTrip: RoundTrip;
  readonly #rate = new DeliveryRate();
  #max = 0;
  #limit = 0;
  #soleLimit = 0;
  #offset = 0;
  #acknowledged = 0;
  #acknowledgedAt = 0;
  #frames = 0;
  #marker: Marker | undefined;
  /** When there was no queue of ours for the last time. */
  #clearAt: number;
  #isDraining = false;
  #roundTripMs = Infinity;

  constructor(clock: Pick<Clock, "now" | "tickMs">, roundTrip: RoundTrip) {
    this.#clock = clock;
    this.#roundTrip = roundTrip;
    this.#clearAt = clock.now();
  }

  /** Most bytes that can ever be in flight at once. */
  get max(): number {
    return this.#max;
  }

  /** Bytes that were sent in all. */
  get offset(): number {
    return this.#offset;
  }

  get bytes(): number {
    return this.#offset - this.#acknowledged;
  }

  /** Bytes that are delivered in a millisecond; 0 before anything was measured. */
  get rate(): number {
    return this.#rate.best;
  }

  /** Bytes that may be in flight now. */
  get limit(): number {
    return this.#limit;
  }

  /** Bytes that may be sent now; below 0 when the limit has come down. */
  get available(): number {
    return this.#limit - this.bytes;
  }

  /** The same for a stream behind which no other waits. */
  get availableToOne(): number {
    return this.#soleLimit - this.bytes;
  }

  /** The peer has said HELLO. */
  open(carrierWindow: number): void {
    this.#max = Math.min(carrierWindow, MAX_BYTES);
    this.#setLimit();
  }

  /** Counts bytes that go into a message. */
  advance(bytes: number): void {
    this.#offset += bytes;
  }

  /** A message with so many frames of the session goes out. */
  sent(frames: number): void {
    if (frames === 0) return;
    this.#frames += frames;
    // One without payload may have to wait for its ACK: it gives way to one with.
    const isTaken = this.#marker && (hasPayload(this.#marker) || this.bytes === 0);
    if (isTaken || (this.#isDraining && this.available < 0)) return;
    const now = this.#clock.now();
    const wasIdle = this.#acknowledged === this.#offset || this.#acknowledgedAt === 0;
    this.#marker = {
      offset: this.#offset,
      frames: this.#frames,
      sentAt: now,
      acknowledged: this.#acknowledged,
      since: wasIdle ? now : this.#acknowledgedAt,
      isLimited: this.#isDraining,
      isTimed: false,
    };
  }

  /** Takes an ACK. @throws ProtocolError when it speaks of what was never sent */
  acknowledged(received: number, frames: number): void {
    if (received > this.#offset) {
      const text = `Cannot take an ACK of ${received} bytes: ${this.#offset} were sent`;
      throw new ProtocolError("ERR_FRAME_FIELD", text);
    }
    const now = this.#clock.now();
    if (this.#marker && this.available > SPARE_BYTES) this.#marker.isLimited = true;
    if (received > this.#acknowledged) {
      this.#acknowledged = received;
      this.#acknowledgedAt = now;
    }
    this.#measure(frames, now);
    this.#setLimit();
  }

  #measure(frames: number, now: number): void {
    const marker = this.#marker;
    if (!marker) return;
    const hasBytes = hasPayload(marker);
    // By frames, also where payload is in flight: that may be of a message before this one.
    if (frames < marker.frames) return;
    if (!marker.isTimed) this.#time(marker, now);
    const elapsedMs = now - marker.since;
    if (hasBytes && elapsedMs < MIN_SAMPLE_MS) return;
    this.#marker = undefined;
    if (marker.isLimited) this.#clearAt = now;
    this.#isDraining = now - this.#clearAt >= FULL_MS;
    if (!hasBytes) return;
    const rate = (this.#acknowledged - marker.acknowledged) / elapsedMs;
    this.#rate.add(rate, marker.isLimited, now, this.#roundTripMs);
  }

  #time(marker: Marker, now: number): void {
    marker.isTimed = true;
    const { tickMs = 0 } = this.#clock;
    // By as much it may have been shorter; and of what is within a tick a quarter is a fair guess.
    this.#roundTrip.add(Math.max(0, now - marker.sentAt - tickMs), now);
    const minMs = Math.max(this.#roundTrip.minMs ?? 0, MIN_ROUND_TRIP_MS, tickMs / 4);
    if (minMs > this.#roundTripMs * LONGER) this.#rate.restart();
    this.#roundTripMs = minMs;
  }

  #wanted(minRoundTripMs: number): number {
    const { best, isFlat } = this.#rate;
    if (best === 0) return FIRST_BYTES;
    const product = best * Math.max(this.#roundTripMs, minRoundTripMs);
    if (this.#isDraining) return product * (product < DEEP_BYTES ? DRAINING_DEEP : DRAINING);
    const batch = Math.min(BATCH_BYTES, best * BATCH_MS + UNTIMED_BYTES);
    return product * (isFlat ? CRUISING : SEEKING) + batch;
  }

  #setLimit(): void {
    this.#limit = this.#bounded(this.#wanted(MIN_ROUND_TRIP_MS));
    this.#soleLimit = this.#bounded(this.#wanted(SOLE_ROUND_TRIP_MS));
  }

  #bounded(bytes: number): number {
    return Math.min(this.#max, Math.max(MIN_BYTES, Math.floor(bytes)));
  }
}

function hasPayload({ offset, acknowledged }: Marker): boolean {
  return offset > acknowledged;
}
