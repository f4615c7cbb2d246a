import type { Clock } from "./clock.ts";
import { ReceiveWindow } from "./credit.ts";

/** A window grows when half of it was used within so many round trips. */
const FAST_ROUND_TRIPS = 2;
/**
 * For a shorter round trip it grows to this and no more: what takes the time on one machine are turns
 * of event loops. It is what lets both ends of TLS work at once; more would only take memory.
 */
const MIN_ROUND_TRIP_MS = 3;
const NEAR_BYTES = 1_048_576;
/** By which all such windows may have grown: 200 that stand still behind a burst are to hold little more than at first. */
const NEAR_GROWTH_BYTES = 4_194_304;
/** It shrinks for each time that half of it was not used, by whichever of these is longer. */
const SLOW_MS = 1000;
const SLOW_ROUND_TRIPS = 8;
/** A grown window is granted in so many parts: the sender needs little more than one round trip's. */
const GRANTS = 8;

/**
 * By how much all windows of a session may have grown: half of the session window, less what is
 * unread. So a stream that has grown and then stands still never takes what the others need.
 */
export class GrowthBudget {
  readonly #bytes: number;
  readonly #held: () => number;
  #taken = 0;

  constructor(sessionWindow: number, held: () => number) {
    this.#bytes = Math.floor(sessionWindow / 2);
    this.#held = held;
  }

  get available(): number {
    return Math.max(0, this.#bytes - this.#taken - this.#held());
  }

  /** The same for the windows of near ends. */
  get availableNear(): number {
    return Math.max(0, Math.min(this.available, NEAR_GROWTH_BYTES - this.#taken));
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes bytes, or with a number below 0 gives them back. */
  take(bytes: number): void {
    this.#taken += bytes;
  }
}

export interface GrowingWindowOptions {
  readonly clock: Pick<Clock, "now">;
  readonly budget: GrowthBudget;
  /** The least round trip of late; undefined when none was measured. */
  readonly roundTripMs: () => number | undefined;
}

/**
 * The window of one stream. It doubles while half of it is used within two round trips by a reader
 * who keeps up, which ends at some bandwidth-delay products; it halves when the stream has been
 * slow, down to what HELLO said. What was granted cannot be taken back: a window that shrinks grants
 * nothing until so much was read, and counts against the budget until then.
 */
export class GrowingWindow extends ReceiveWindow {
  readonly #first: number;
  readonly #options: GrowingWindowOptions;
  #beganAt: number | undefined;
  #used = 0;
  /** Whether the reader has had all there was. */
  #isRead = false;
  #reserved = 0;
  #isClosed = false;

  constructor(size: number, options: GrowingWindowOptions) {
    super(size);
    this.#first = size;
    this.#options = options;
  }

  override arrive(bytes: number): void {
    this.#beganAt ??= this.#options.clock.now();
    super.arrive(bytes);
  }

  override consume(bytes: number): void {
    super.consume(bytes);
    if (this.#isClosed || this.#beganAt === undefined) return;
    this.#used += bytes;
    this.#isRead ||= this.held === 0;
    const now = this.#options.clock.now();
    const elapsedMs = now - this.#beganAt;
    const roundTripMs = this.#options.roundTripMs() ?? 0;
    const isNear = roundTripMs < MIN_ROUND_TRIP_MS;
    const slowMs = Math.max(SLOW_MS, SLOW_ROUND_TRIPS * roundTripMs);
    const isUsed = this.#used * 2 >= this.size;
    if (!isUsed && elapsedMs < slowMs) return this.#account();
    const { available, availableNear } = this.#options.budget;
    const most = isNear ? Math.max(this.#first, NEAR_BYTES) : Infinity;
    const fastMs = FAST_ROUND_TRIPS * Math.max(roundTripMs, MIN_ROUND_TRIP_MS);
    if (elapsedMs >= slowMs) this.#shrink(Math.max(1, Math.floor(elapsedMs / slowMs)));
    // It has grown by the round trip of a greeting, say, which took longer.
    else if (this.size > most) this.#shrink(1);
    else if (this.#isRead && elapsedMs < fastMs) {
      this.#grow(Math.min(most - this.size, isNear ? availableNear : available));
    }
    this.#beganAt = now;
    this.#used = 0;
    this.#isRead = false;
    this.#account();
  }

  /** The stream has ended: nothing more is granted, and the budget is free for others. */
  close(): void {
    this.#isClosed = true;
    this.#options.budget.take(-this.#reserved);
    this.#reserved = 0;
  }

  #grow(most: number): void {
    if (most > 0) this.#resize(this.size + Math.min(this.size, most));
  }

  #shrink(times: number): void {
    if (this.size > this.#first) {
      this.#resize(Math.max(this.#first, Math.floor(this.size / 2 ** times)));
    }
  }

  #resize(size: number): void {
    const isLarge = size > this.#first * 2;
    this.resize(size, isLarge ? Math.max(this.#first / 2, size / GRANTS) : size / 2);
  }

  #account(): void {
    const reserved = Math.max(this.size, this.outstanding) - this.#first;
    this.#options.budget.take(reserved - this.#reserved);
    this.#reserved = reserved;
  }
}
