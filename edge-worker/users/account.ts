import type { ByteChannel } from "../../protocol/channel.ts";
import { type Cancel, type Clock, pause } from "../../protocol/clock.ts";
import { StreamError } from "../../protocol/errors.ts";
import { MeteredChannel } from "./metered-channel.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { Usage, UsageStore } from "./usage.ts";
import type { Limits } from "./user.ts";

export interface AccountOptions {
  readonly user: string;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Milliseconds of the Unix epoch: days and minutes are those of people. */
  readonly wallNow: () => number;
  readonly store: UsageStore;
}

/** Seen from the edge's targets: "up" goes to them, "down" comes from them. */
export type Direction = "up" | "down";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** What is lost of the count when the process is killed is at most what passed in this time. */
const SAVE_AFTER_MS = 5000;

/** What one user uses of an edge, held against its limits. */
export class Account {
  readonly #options: AccountOptions;
  #limits: Limits;
  #usage: Usage;
  #streams = 0;
  #buckets: Readonly<Record<Direction, TokenBucket>> | undefined;
  #cancelSave: Cancel | undefined;

  constructor(options: AccountOptions) {
    this.#options = options;
    this.#usage = options.store.load(options.user) ?? { day: 0, bytes: 0, minute: 0, opens: 0 };
    this.#limits = options.limits;
    this.#makeBuckets();
  }

  /** Takes other limits from now on; what was used stays used. */
  set limits(limits: Limits) {
    const isOtherRate = limits.bytesPerSecond !== this.#limits.bytesPerSecond;
    this.#limits = limits;
    if (isOtherRate) this.#makeBuckets();
  }

  /** Counts a stream in; returns what counts it out. @throws StreamError "quota-exceeded" */
  enter(): () => void {
    const { streams = Infinity, streamsPerMinute = Infinity } = this.#limits;
    this.#turn();
    if (this.#streams >= streams) throw exceeded(`${streams} streams are open`);
    if (this.#usage.opens >= streamsPerMinute) {
      throw exceeded(`${streamsPerMinute} streams were opened in this minute`);
    }
    this.#checkDay();
    this.#usage = { ...this.#usage, opens: this.#usage.opens + 1 };
    this.#streams++;
    if (streamsPerMinute !== Infinity) this.#saveSoon();
    let isInside = true;
    return () => {
      if (isInside) this.#streams--;
      isInside = false;
    };
  }

  /** A target's channel whose bytes are counted and held to the rate; itself when nothing limits them. */
  meter(channel: ByteChannel): ByteChannel {
    const { bytesPerDay, bytesPerSecond } = this.#limits;
    const isLimited = bytesPerDay !== undefined || bytesPerSecond !== undefined;
    return isLimited ? new MeteredChannel(channel, this) : channel;
  }

  /**
   * Counts bytes of a stream and waits for their turn, or until `signal` aborts.
   * @throws StreamError "quota-exceeded"
   */
  async pass(direction: Direction, bytes: number, signal: AbortSignal): Promise<void> {
    this.#count(bytes);
    const waitMs = this.#buckets?.[direction].take(bytes, this.#options.clock.now()) ?? 0;
    if (waitMs > 0) await pause(this.#options.clock, waitMs, signal);
  }

  /** Counts a datagram; false for one that the limits let nowhere. */
  passDatagram(direction: Direction, bytes: number): boolean {
    const bucket = this.#buckets?.[direction];
    if (bucket && !bucket.takeNow(bytes, this.#options.clock.now())) return false;
    try {
      this.#count(bytes);
      return true;
    } catch {
      return false;
    }
  }

  /** Writes down what is not yet. */
  save(): void {
    if (!this.#cancelSave) return;
    this.#cancelSave();
    this.#cancelSave = undefined;
    this.#options.store.save(this.#options.user, this.#usage);
  }

  #count(bytes: number): void {
    if (this.#limits.bytesPerDay === undefined) return;
    this.#turn();
    this.#checkDay();
    this.#usage = { ...this.#usage, bytes: this.#usage.bytes + bytes };
    this.#saveSoon();
  }

  #checkDay(): void {
    const { bytesPerDay = Infinity } = this.#limits;
    if (this.#usage.bytes >= bytesPerDay) throw exceeded(`${bytesPerDay} bytes passed today`);
  }

  /** Begins new windows where the old ones are over. */
  #turn(): void {
    const now = this.#options.wallNow();
    const day = Math.floor(now / DAY_MS);
    const minute = Math.floor(now / MINUTE_MS);
    if (day !== this.#usage.day) this.#usage = { ...this.#usage, day, bytes: 0 };
    if (minute !== this.#usage.minute) this.#usage = { ...this.#usage, minute, opens: 0 };
  }

  #makeBuckets(): void {
    const { bytesPerSecond } = this.#limits;
    const now = this.#options.clock.now();
    const create = (rate: number): TokenBucket => new TokenBucket(rate, now);
    this.#buckets =
      bytesPerSecond === undefined
        ? undefined
        : { up: create(bytesPerSecond), down: create(bytesPerSecond) };
  }

  #saveSoon(): void {
    this.#cancelSave ??= this.#options.clock.after(SAVE_AFTER_MS, () => this.save());
  }
}

function exceeded(why: string): StreamError {
  return new StreamError("quota-exceeded", `Cannot go on: the quota is used up, ${why}`);
}
